"""Search agents under a budget. Names are ids of the command line."""

from __future__ import annotations

from typing import Final

__all__ = ["AGENTS"]

AGENTS: Final = {"none": "litrag.agents.one_pass:OnePass"}
