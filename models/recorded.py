"""Replies that were recorded: `recorded/<file>` answers from a file of JSON Lines, without network and weights, the same for everybody.

A line holds the key of a request and its reply, both as the request cache has them; the model's name in the key is "recorded", wherever the file lies."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from litrag.core.errors import ModelUnavailable
from litrag.models.request import ModelReply, ModelRequest

__all__ = ["PREFIX", "RecordedReplies", "file_print", "read_replies", "recorded_key"]

PREFIX = "recorded"


def recorded_key(request: ModelRequest) -> str:
    """The key of a request in a file of replies: who is asked is no part of it."""
    return replace(request, model=PREFIX, api_base=None, fingerprint="").key


def read_replies(path: Path) -> dict[str, ModelReply]:
    """Key -> reply. Raises ModelUnavailable for a file that is not there or holds something else."""
    replies: dict[str, ModelReply] = {}
    number = 0
    try:
        for line in path.expanduser().read_text(encoding="utf-8").split("\n"):
            number += 1
            if line.strip():
                row = json.loads(line)
                replies[row["key"]] = replace(ModelReply.from_json(row["reply"]), cached=False)
    except OSError as error:
        raise ModelUnavailable(f"recorded/{path}: {error.strerror}; name a file of recorded replies") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(f"recorded/{path}: line {number} is no recorded reply ({error})") from error
    return replies


def file_print(model: str) -> str:
    """A hash of the file of a `recorded/...` model: the request cache must not answer for one that was changed. "" where it is not there."""
    path = Path(model.removeprefix(f"{PREFIX}/")).expanduser()
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""


class RecordedReplies:
    """The backend of `recorded/...`. A request that nobody recorded is refused."""

    def __init__(self) -> None:
        self._files: dict[str, Mapping[str, ModelReply]] = {}

    async def send(self, request: ModelRequest) -> ModelReply:
        """The recorded reply. Raises ModelUnavailable."""
        name = request.model.removeprefix(f"{PREFIX}/")
        if name not in self._files:
            self._files[name] = await asyncio.to_thread(read_replies, Path(name))
        found = self._files[name].get(recorded_key(request))
        if found is None:
            raise ModelUnavailable(
                f"{request.model} holds no reply to this request of the role {request.role}: text, papers, settings or prompts are not those that"
                " were recorded; name a model instead"
            )
        return found
