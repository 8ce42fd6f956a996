"""BM25 (Robertson and Zaragoza, 2009) by bm25s: k1, b, Snowball stemming; saved as arrays and JSON, opened memory-mapped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.core.errors import BadInput
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.retrievers.normal_forms import day_number

if TYPE_CHECKING:
    import bm25s
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BM25", "BM25Index"]

_META: Final = "litrag.json"


class BM25Index:
    """An index over documents in a fixed order. `ids` and `days` (the latest possible day as YYYYMMDD, 0 where unknown) are parallel
    to it."""

    def __init__(self, engine: bm25s.BM25, ids: Sequence[str], days: Sequence[int]) -> None:
        self._engine, self.ids, self.days = engine, ids, days

    @classmethod
    def build(cls, documents: Iterable[tuple[str, date | None, str]], *, k1: float = 0.9, b: float = 0.4) -> BM25Index:
        """Indexes (id, latest possible day, text) triples. k1 and b default to Anserini's values for passages. Raises BadInput without
        any word."""
        import bm25s

        ids: list[str] = []
        days: list[int] = []
        texts: list[str] = []
        for name, day, text in documents:
            ids.append(name)
            days.append(day_number(day))
            texts.append(text)
        tokens = _tokens(texts)
        if not any(tokens.ids):
            raise BadInput("the papers hold no word to index; give titles or abstracts")
        engine = bm25s.BM25(k1=k1, b=b, method="lucene")
        engine.index(tokens, show_progress=False)
        return cls(engine, ids, days)

    def save(self, folder: Path) -> None:
        """Writes the index into a folder."""
        self._engine.save(str(folder))
        (folder / _META).write_text(json.dumps({"ids": list(self.ids), "days": list(self.days)}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> BM25Index:
        """Opens a saved index, memory-mapped. Raises OSError, EOFError, ValueError, KeyError for one that is gone or damaged."""
        import bm25s

        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        engine = bm25s.BM25.load(str(folder), mmap=True)
        if not len(meta["ids"]) == len(meta["days"]) == engine.scores["num_docs"]:
            raise ValueError("its parts do not belong together")
        return cls(engine, meta["ids"], meta["days"])

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, query: Query, k: int) -> list[tuple[int, float]]:
        """Positions and scores of the best `k` documents that the query allows; only those that share a word with it. Equal
        scores keep the order of the index."""
        import numpy as np

        known = self._engine.vocab_dict
        words = [word for word in _query_tokens(query.text) if word in known]
        if not words or k <= 0:
            return []
        scores = np.where(self._allowed(query), self._engine.get_scores(words), 0.0)
        found = np.flatnonzero(scores > 0)
        best = found[np.argsort(-scores[found], kind="stable")[:k]]
        return [(int(position), float(scores[position])) for position in best]

    def _allowed(self, query: Query) -> NDArray[np.bool_]:
        """Which documents may be returned: published before `query.before` (undated ones may) and not excluded."""
        import numpy as np

        days = self._day_array
        allowed = days < day_number(query.before) if query.before else np.ones(len(days), dtype=np.bool_)
        for name in query.exclude:
            if (position := self._positions.get(name)) is not None:
                allowed[position] = False
        return allowed

    @cached_property
    def _day_array(self) -> NDArray[np.int32]:
        import numpy as np

        return np.asarray(self.days, dtype=np.int32)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.ids)}


@dataclass(frozen=True, slots=True)
class BM25:
    """The retriever over an index. `fetch` gives the documents of ids; scores are named "bm25"."""

    index: BM25Index
    fetch: Callable[[Sequence[str]], Sequence[Document]]

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One ranking a query; CPU work off the event loop."""
        return await asyncio.to_thread(lambda: tuple(self._one(query, k) for query in queries))

    def _one(self, query: Query, k: int) -> Ranking:
        found = self.index.search(query, k)
        documents = self.fetch([self.index.ids[position] for position, _ in found])
        hits = (
            Hit(document, (Score(score, "bm25", query.text, rank),))
            for rank, (document, (_, score)) in enumerate(zip(documents, found, strict=True), start=1)
        )
        return Ranking(query, tuple(hits))


def _tokens(texts: list[str]) -> Any:
    import bm25s
    import Stemmer

    return bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)


def _query_tokens(text: str) -> list[str]:
    tokens = _tokens([text])
    words = {number: word for word, number in tokens.vocab.items()}
    return [words[number] for number in tokens.ids[0]]
