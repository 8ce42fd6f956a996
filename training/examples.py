"""Files of training examples: JSON Lines, plain or gzip; a broken line is a warning, for it costs an example and no more."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from litrag.core.errors import BadInput

__all__ = ["rows"]


def rows(path: Path, warn: Callable[[str], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of each line that is one. Raises BadInput where the file cannot be read."""
    path = path.expanduser()
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    warn(f"{path.name}, line {number}: no JSON; left out")
                    continue
                if isinstance(row, dict):
                    yield number, row
                else:
                    warn(f"{path.name}, line {number}: no record; left out")
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file; name a JSON Lines file of examples with --dataset") from error
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read ({error}); check the file") from error
