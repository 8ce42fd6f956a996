"""What recipes in stages share: the rows of a stage, made some at a time by models, kept in a file of the run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from litrag.core.errors import CannotWrite
from litrag.core.events import Event
from litrag.core.sync import all_or_first_error
from litrag.models.gateway import Gateway
from litrag.training.kit import Job

__all__ = ["each", "stage"]

T = TypeVar("T")
_AT_ONCE: Final = 16  # rows in the making


async def each(
    job: Job, stage: str, items: Sequence[T], one: Callable[[T], Coroutine[Any, Any, dict[str, Any]]], gateway: Gateway
) -> list[dict[str, Any]]:
    """A row an item, in order; what was answered before a kill comes from the request cache, which is closed at the end."""
    rows: list[dict[str, Any]] = []
    try:
        for start in range(0, len(items), _AT_ONCE):
            rows += await all_or_first_error([one(item) for item in items[start : start + _AT_ONCE]])
            job.listen(Event(stage, done=len(rows), total=len(items)))
    finally:
        gateway.cache.close()
    return rows


def stage(path: Path, make: Callable[[], Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The rows in a file, made and written at once where it is not there yet. Raises CannotWrite."""
    if not path.is_file():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in make())
        try:
            part = path.with_suffix(".part")
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise CannotWrite(path, error.strerror or str(error)) from error
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
