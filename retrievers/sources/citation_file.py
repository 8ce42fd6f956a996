"""Citations from files: JSON Lines of {"id", "cites": [...]} and, where a date cut matters, "year"."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from litrag.core.errors import BadInput
from litrag.core.types import Paper

__all__ = ["CitationFile", "read_citations"]


@dataclass(frozen=True, slots=True)
class CitationFile:
    """A `CitationGraph` over reference lists. `papers` gives the records of ids that it knows. With `as_of`, only lists of papers that
    appeared before that day count (a year counts as its 31 December, a list without a year does not count): what a later list
    cites tells what the field was going to read."""

    lists: Mapping[str, tuple[str, ...]]
    years: Mapping[str, int]
    papers: Callable[[Sequence[str]], Sequence[Paper]]
    as_of: date | None = None
    _citing: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def over(
        cls, rows: Iterable[Mapping[str, Any]], papers: Callable[[Sequence[str]], Sequence[Paper]]
    ) -> CitationFile:
        """The graph of rows, indexed both ways."""
        lists: dict[str, tuple[str, ...]] = {}
        years: dict[str, int] = {}
        citing: defaultdict[str, list[str]] = defaultdict(list)
        for row in rows:
            name = str(row["id"])
            lists[name] = tuple(dict.fromkeys(str(cited) for cited in row["cites"]))
            years[name] = int(row.get("year") or 0)
            for cited in lists[name]:
                citing[cited].append(name)
        return cls(lists, years, papers, _citing={name: tuple(found) for name, found in citing.items()})

    def before(self, day: date) -> CitationFile:
        """The graph as it was known before a day; nothing is indexed again."""
        return replace(self, as_of=day)

    async def references(self, ids: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
        """The papers that each id cites, as far as their records are known."""
        return {name: tuple(self.papers(self.lists.get(name, ()) if self._counts(name) else ())) for name in ids}

    async def citations(self, ids: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
        """The papers that cite each id, as far as their records are known."""
        return {name: tuple(self.papers([c for c in self._citing.get(name, ()) if self._counts(c)])) for name in ids}

    def _counts(self, name: str) -> bool:
        year = self.years.get(name, 0)
        return self.as_of is None or 0 < year < self.as_of.year


def read_citations(path: Path, warn: Callable[[str], None]) -> list[dict[str, Any]]:
    """The rows of a file, plain or gzip; a broken one is a warning with its line. Raises BadInput where there is none."""
    rows: list[dict[str, Any]] = []
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                row = _row(line)
                if row is not None:
                    rows.append(row)
                elif line.strip():
                    warn(f'{path.name}, line {number}: no {{"id", "cites"}}; left out')
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file; name a citation file, semantic-scholar or openalex") from error
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read ({error}); check the file") from error
    if not rows:
        raise BadInput(f'{path} holds no citations; each line needs {{"id": …, "cites": [ids]}}')
    return rows


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(row, dict) and row.get("id") not in (None, "") and isinstance(row.get("cites"), list)
    return row if whole and isinstance(row.get("year") or 0, int) else None
