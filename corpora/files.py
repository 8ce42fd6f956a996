"""Reading data files: JSON Lines, plain or gzip, with errors that name the line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litrag.core.errors import BadInput

__all__ = ["found", "rows"]


def found(folder: Path, name: str) -> Path | None:
    """The file of a name in a folder, plain or gzip; None where there is neither."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file. Raises BadInput, naming file and line: an eval never runs on a part of its data."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _row(path, number, line)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read ({error}); fetch it again") from error


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{path}, line {number}: no JSON ({error}); fetch it again") from error
    if not isinstance(row, dict):
        raise BadInput(f"{path}, line {number}: no record; fetch it again")
    return row
