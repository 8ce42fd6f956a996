"""BM25 (Robertson and Zaragoza, 2009) by bm25s: k1, b, Snowball stemming; saved as arrays and JSON, opened memory-mapped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.core.errors import BadInput
from litrag.core.types import Document, Hit, Query, Ranking, Score

if TYPE_CHECKING:
    import bm25s

__all__ = ["BM25", "BM25Index", "allowed_positions"]

_META: Final = "litrag.json"


class BM25Index:
    """An index over documents in a fixed order. `ids` and `dates` (latest possible day as ISO text, "" where unknown) are
    parallel to it."""

    def __init__(self, engine: bm25s.BM25, ids: Sequence[str], dates: Sequence[str]) -> None:
        self._engine, self.ids, self.dates = engine, ids, dates

    @classmethod
    def build(cls, documents: Iterable[tuple[str, str, str]], *, k1: float = 0.9, b: float = 0.4) -> BM25Index:
        """Indexes (id, date, text) triples. k1 and b default to Anserini's values for passages. Raises BadInput without any word."""
        import bm25s

        ids: list[str] = []
        dates: list[str] = []

        def texts() -> Iterable[str]:
            for name, day, text in documents:
                ids.append(name)
                dates.append(day)
                yield text

        tokens = _tokens(list(texts()))
        if not any(tokens.ids):
            raise BadInput("the papers hold no word to index; give titles or abstracts")
        engine = bm25s.BM25(k1=k1, b=b, method="lucene")
        engine.index(tokens, show_progress=False)
        return cls(engine, ids, dates)

    def save(self, folder: Path) -> None:
        """Writes the index into a folder."""
        self._engine.save(str(folder))
        (folder / _META).write_text(json.dumps({"ids": list(self.ids), "dates": list(self.dates)}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> BM25Index:
        """Opens a saved index, memory-mapped."""
        import bm25s

        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        return cls(bm25s.BM25.load(str(folder), mmap=True), meta["ids"], meta["dates"])

    def search(self, query: Query, k: int) -> list[tuple[int, float]]:
        """Positions and scores of the best `k` documents that the query allows; only those that share a word with it. Equal
        scores keep the order of the index."""
        import numpy as np

        known = self._engine.vocab_dict
        words = [word for word in _query_tokens(query.text) if word in known]
        if not words:
            return []
        scores = self._engine.get_scores(words)
        best = np.argsort(-scores, kind="stable")
        found: list[tuple[int, float]] = []
        allowed = allowed_positions(query, self.ids, self.dates)
        for position in best:
            if scores[position] <= 0 or len(found) == k:
                break
            if allowed(int(position)):
                found.append((int(position), float(scores[position])))
        return found


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


def allowed_positions(query: Query, ids: Sequence[str], dates: Sequence[str]) -> Callable[[int], bool]:
    """Whether a document may be returned: not excluded, and published before `query.before` (undated ones may)."""
    limit = query.before.isoformat() if isinstance(query.before, date) else None
    return lambda position: (
        ids[position] not in query.exclude and (limit is None or not dates[position] or dates[position] < limit)
    )


def _tokens(texts: list[str]) -> Any:
    import bm25s
    import Stemmer

    return bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)


def _query_tokens(text: str) -> list[str]:
    tokens = _tokens([text])
    words = {number: word for word, number in tokens.vocab.items()}
    return [words[number] for number in tokens.ids[0]]
