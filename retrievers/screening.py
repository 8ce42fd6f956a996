"""What may not be cited: the user's own paper, excluded ones, and what is not older than the date cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from litrag.core.types import Paper, normalised_title

__all__ = ["Screened", "is_own_paper", "screen"]

_SHINGLE = 8


@dataclass(frozen=True, slots=True)
class Screened:
    """Papers by what became of them."""

    kept: tuple[Paper, ...]
    own: tuple[Paper, ...] = ()
    newer: tuple[Paper, ...] = ()
    excluded: tuple[Paper, ...] = ()
    warnings: tuple[str, ...] = ()


def is_own_paper(
    candidate: Paper, *, title: str, abstract: str, most_errors: float = 0.12, least_shared: float = 0.5
) -> bool:
    """Whether the candidate is the paper that is being written, or a version of it.

    By title: word error rate below `most_errors` (LitLLM's 0.12) and the same numbers in both, since the papers of a shared task
    differ by a number. By abstract: `least_shared` of the 8-word runs of the shorter text stand in the other."""
    if title and _same_title(title, candidate.title, most_errors):
        return True
    ours, theirs = _shingles(abstract), _shingles(candidate.abstract)
    shorter, longer = sorted((ours, theirs), key=len)
    return len(shorter) >= 5 and len(shorter & longer) / len(shorter) >= least_shared


def screen(
    papers: Sequence[Paper],
    *,
    title: str,
    abstract: str,
    before: date | None = None,
    exclude: frozenset[str] = frozenset(),
    strict_dates: bool = False,
) -> Screened:
    """Sorts papers out. `before` is exclusive, a year without a day counts as its 31 December; undated papers stay, with a
    warning, unless `strict_dates`. `exclude` holds ids, DOIs, arXiv ids or titles."""
    barred = {normalised_title(name) for name in exclude}
    kept: list[Paper] = []
    own: list[Paper] = []
    newer: list[Paper] = []
    excluded: list[Paper] = []
    undated = 0
    for paper in papers:
        day = paper.latest_date
        if barred & {normalised_title(name) for name in (paper.id, paper.doi, paper.arxiv_id, paper.title) if name}:
            excluded.append(paper)
        elif is_own_paper(paper, title=title, abstract=abstract):
            own.append(paper)
        elif before is not None and (day >= before if day else strict_dates):
            newer.append(paper)
        else:
            undated += before is not None and day is None
            kept.append(paper)
    warnings = (f"{undated} papers without a date were kept; --strict-dates leaves them out",) if undated else ()
    return Screened(tuple(kept), tuple(own), tuple(newer), tuple(excluded), warnings)


def _same_title(ours: str, theirs: str, most_errors: float) -> bool:
    from rapidfuzz.distance import Levenshtein

    a, b = normalised_title(ours).split(), normalised_title(theirs).split()
    if not a or not b or {w for w in a if w.isdigit()} != {w for w in b if w.isdigit()}:
        return False
    return Levenshtein.distance(a, b) / max(len(a), len(b)) < most_errors


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1)}
