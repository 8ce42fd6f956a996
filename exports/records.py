"""The form that all JSON files of litrag share: fields are known, values do not change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Record"]


class Record(BaseModel):
    """A part of a published file; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
