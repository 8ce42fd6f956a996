"""Scores of papers by who cited them: how often (popularity), and by papers like the query (nearest citing papers).

What papers like yours cite, you will probably cite: the references of the nearest citing papers, each weighted by its likeness to the
query. Only reference lists of papers that appeared before the query's date cut count; a list of the same year tells what the
field will have read, which is a leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from litrag.core.types import Query
from litrag.retrievers.normal_forms import day_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from litrag.core.protocols import Vectors

__all__ = ["CitingPapers", "ReferenceList"]


@dataclass(frozen=True, slots=True)
class ReferenceList:
    """One citing paper: its id, the last day on which it can have appeared, what it cites."""

    id: str
    day: date
    cites: tuple[str, ...]


@dataclass(frozen=True)
class CitingPapers:
    """Reference lists with the vector of each citing paper, an (n, d) array of unit rows beside them."""

    lists: Sequence[ReferenceList]
    vectors: Vectors

    def popularity(self, query: Query, as_of: date) -> dict[str, float]:
        """Paper -> how many citing papers that appeared before `as_of` cite it; the query's own list (`query.exclude`) does not count."""
        return self._summed(self._usable(query, as_of).astype("float64"))

    def neighbours(self, query: Query, vector: Vectors, as_of: date, *, power: float = 4.0) -> dict[str, float]:
        """Paper -> sum over the citing papers before `as_of` of max(0, cosine to the query's `vector`) ** `power`, scaled so that the best
        paper has 1. A higher power trusts only the nearest."""
        import numpy as np

        nearness = np.clip(self.vectors @ vector, 0.0, 1.0).astype("float64") ** power
        found = self._summed(nearness * self._usable(query, as_of))
        best = max(found.values(), default=0.0)
        return {name: value / best for name, value in found.items()} if best > 0 else {}

    def _usable(self, query: Query, as_of: date) -> NDArray[np.bool_]:
        import numpy as np

        own = np.asarray([item.id in query.exclude for item in self.lists], dtype=np.bool_)
        usable: NDArray[np.bool_] = (self._days < day_number(as_of)) & ~own
        return usable

    @cached_property
    def _days(self) -> NDArray[np.int32]:
        import numpy as np

        return np.asarray([day_number(item.day) for item in self.lists], dtype=np.int32)

    def _summed(self, weights: NDArray[np.float64]) -> dict[str, float]:
        sums: dict[str, float] = {}
        for item, weight in zip(self.lists, weights, strict=True):
            if weight > 0:
                for name in item.cites:
                    sums[name] = sums.get(name, 0.0) + float(weight)
        return sums
