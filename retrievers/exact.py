"""Vectors in memory, searched exactly: for small collections, and the yardstick beside an approximate index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final, Self

from litrag.core.events import Event, Listener, silent
from litrag.core.protocols import Embedder
from litrag.core.types import Document, Query
from litrag.retrievers.normal_forms import day_number
from litrag.retrievers.top import top

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from litrag.core.protocols import Vectors

__all__ = ["ExactIndex"]

_BATCH: Final = 512


class ExactIndex:
    """The searching half of `VectorIndex` over an (n, d) array of unit rows, one a document; `days` are their latest possible days, None
    where unknown. `places` maps ids to rows."""

    def __init__(self, documents: Sequence[Document], days: Sequence[date | None], vectors: Vectors) -> None:
        """Raises ValueError unless there is one vector and one day a document."""
        import numpy as np

        if not len(documents) == len(days) == len(vectors):
            raise ValueError(f"{len(documents)} documents, {len(days)} days, {len(vectors)} vectors")
        self.documents, self.vectors = documents, vectors
        self.places = {document.id: place for place, document in enumerate(documents)}
        self._days = np.asarray([day_number(day) for day in days], dtype=np.int32)

    @classmethod
    async def embedded(
        cls,
        documents: Sequence[Document],
        days: Sequence[date | None],
        embedder: Embedder,
        *,
        listen: Listener = silent,
    ) -> Self:
        """The index over documents that are embedded for it, 512 at a time. Raises ModelFault, BudgetSpent."""
        import numpy as np

        parts = []
        for start in range(0, len(documents), _BATCH):
            batch = documents[start : start + _BATCH]
            parts.append(await embedder.embed([document.text for document in batch], kind="document"))
            listen(Event("vectors", done=start + len(batch), total=len(documents)))
        return cls(documents, days, np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32))

    def search(self, vector: Vectors, query: Query, k: int) -> list[tuple[str, float]]:
        """Ids of the best `k` documents that the query allows with their dot products; equal ones in their order."""
        import numpy as np

        scores = self.vectors @ vector
        if query.restricted:
            scores = np.where(self.allowed(query), scores, -np.inf)
        return [(self.documents[int(place)].id, float(scores[place])) for place in top(scores, k)]

    def allowed(self, query: Query) -> NDArray[np.bool_]:
        """Published before `query.before` (undated ones are), not excluded, within `query.only`."""
        import numpy as np

        allowed = self._days < day_number(query.before) if query.before else np.ones(len(self._days), dtype=np.bool_)
        if query.only:
            for place in np.flatnonzero(allowed):
                facts = self.documents[int(place)].metadata
                year, venue, source = facts.get("year") or 0, facts.get("venue") or "", facts.get("source") or ""
                allowed[place] = query.only.admits(year=int(year), venue=str(venue), source=str(source))
        barred = [self.places[name] for name in query.exclude if name in self.places]
        allowed[barred] = False
        return allowed
