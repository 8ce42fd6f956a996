"""BM25 (Robertson and Zaragoza, 2009) by bm25s: k1, b, Snowball stemming; saved as arrays and JSON, opened memory-mapped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from litrag.core.errors import BadInput
from litrag.core.types import Document, Filter, Hit, Query, Ranking, Score
from litrag.corpora.types import last_day
from litrag.retrievers.normal_forms import day_number
from litrag.retrievers.rows import Row
from litrag.retrievers.top import top

if TYPE_CHECKING:
    import bm25s
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BM25", "BM25Index", "bm25_over"]

_META: Final = "litrag.json"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What filters ask of the documents, parallel to them: `days` (the latest possible day as YYYYMMDD) and `years`, 0 where unknown;
    `venues` and `sources` as names, and beside each document the number of its name; `passages`, how many rows follow for each."""

    days: list[int] = field(default_factory=list)
    years: list[int] = field(default_factory=list)
    venue: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)
    passages: list[int] = field(default_factory=list)
    venues: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)

    def add(self, day: int, year: int = 0, venue: str = "", source: str = "") -> None:
        """The facts of one more document."""
        self.days.append(day)
        self.years.append(year)
        self.venue.append(self.venues.setdefault(venue, len(self.venues)))
        self.source.append(self.sources.setdefault(source, len(self.sources)))
        self.passages.append(0)

    def fit(self, documents: int) -> bool:
        """Whether there is one of each for every document."""
        parallel = (self.days, self.years, self.venue, self.source, self.passages)
        return all(len(part) == documents for part in parallel)


class BM25Index:
    """An index over documents in a fixed order, `ids`, and over passages of them, which are rows after those of the documents. A
    document is found by the best of its rows (MaxP: Dai and Callan, SIGIR 2019)."""

    def __init__(self, engine: bm25s.BM25, ids: Sequence[str], facts: _Facts) -> None:
        self._engine, self.ids, self._facts = engine, ids, facts

    @classmethod
    def build(cls, documents: Iterable[tuple[str, date | None, str]], *, k1: float = 0.9, b: float = 0.4) -> BM25Index:
        """Indexes (id, latest possible day, text) triples. k1 and b default to Anserini's values for passages. Raises BadInput without
        any word."""
        return cls.of_rows((Row(name, name, text, day_number(day)) for name, day, text in documents), k1=k1, b=b)

    @classmethod
    def of_rows(cls, rows: Iterable[Row], *, k1: float = 0.9, b: float = 0.4) -> BM25Index:
        """Indexes the rows of papers, then those of their passages, paper by paper in the same order. Raises BadInput without any
        word."""
        import bm25s

        ids: list[str] = []
        texts: list[str] = []
        facts = _Facts()
        owner = 0
        for row in rows:
            texts.append(row.text)
            if row.id == row.paper:
                ids.append(row.id)
                facts.add(row.day, row.year, row.venue, row.source)
                continue
            while ids[owner] != row.paper:
                owner += 1
            facts.passages[owner] += 1
        tokens = _tokens(texts)
        if not any(tokens.ids):
            raise BadInput("the papers hold no word to index; give titles or abstracts")
        engine = bm25s.BM25(k1=k1, b=b, method="lucene")
        engine.index(tokens, show_progress=False)
        return cls(engine, ids, facts)

    def save(self, folder: Path) -> None:
        """Writes the index into a folder."""
        self._engine.save(str(folder))
        meta = {"ids": list(self.ids), **asdict(self._facts)}
        (folder / _META).write_text(json.dumps(meta), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> BM25Index:
        """Opens a saved index, memory-mapped. Raises OSError, EOFError, ValueError, KeyError for one that is gone or damaged."""
        import bm25s

        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        engine = bm25s.BM25.load(str(folder), mmap=True)
        ids, facts = meta.pop("ids"), _Facts(**meta)
        if not facts.fit(len(ids)) or len(ids) + sum(facts.passages) != engine.scores["num_docs"]:
            raise ValueError("its parts do not belong together")
        return cls(engine, ids, facts)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, position: int) -> str:
        """The id of the row at a position."""
        if position < len(self.ids):
            return self.ids[position]
        owner = int(self._owners[position - len(self.ids)])
        return f"{self.ids[owner]}#p{position - len(self.ids) - int(self._firsts[owner]) + 1}"

    @property
    def rows(self) -> int:
        """How many rows there are, those of passages among them."""
        return int(self._engine.scores["num_docs"])

    def held_by(self, word: str) -> int:
        """How many rows hold a word, stemmed as the index stems; of one that it leaves out (stop words, single letters), all."""
        tokens = _query_tokens(word)
        places, vocabulary = self._engine.scores["indptr"], self._engine.vocab_dict
        return min(
            (int(places[n + 1] - places[n]) if (n := vocabulary.get(token)) is not None else 0 for token in tokens),
            default=self.rows,
        )

    def search(self, query: Query, k: int) -> list[tuple[int, float]]:
        """Positions and scores of the best row of each of the best `k` documents that the query allows; only rows that share a word with
        it. Documents of equal scores keep the order of the index."""
        import numpy as np

        known = self._engine.vocab_dict
        words = [word for word in _query_tokens(query.text) if word in known]
        if not words or k <= 0:
            return []
        scores = self._engine.get_scores(words)
        best = self._best(scores)
        if query.restricted:
            best = np.where(self._allowed(query), best, 0.0)
        return [(self._found(scores, int(place)), float(best[place])) for place in top(best, k, above=0.0)]

    def _best(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the (rows,) scores the best of each document's own row and its passages."""
        import numpy as np

        own = scores[: len(self.ids)]
        if not len(self._owners):
            return own
        parted = np.flatnonzero(self._facts.passages)
        best = own.copy()
        best[parted] = np.maximum(own[parted], np.maximum.reduceat(scores[len(self.ids) :], self._firsts[parted]))
        return best

    def _found(self, scores: NDArray[np.float32], place: int) -> int:
        """The first row of a document that has its best score."""
        first = len(self.ids) + int(self._firsts[place])
        passages = scores[first : first + self._facts.passages[place]]
        return first + int(passages.argmax()) if len(passages) and passages.max() > scores[place] else place

    def _allowed(self, query: Query) -> NDArray[np.bool_]:
        """Which documents may be returned: published before `query.before` (undated ones may), not excluded, admitted by `query.only`."""
        import numpy as np

        days = self._array("days")
        allowed = days < day_number(query.before) if query.before else np.ones(len(days), dtype=np.bool_)
        only, years = query.only, self._array("years")
        if only.first_year:
            allowed = allowed & (years >= only.first_year)
        if only.last_year:
            allowed = allowed & (years > 0) & (years <= only.last_year)
        if only.venues:
            by_venue = Filter(venues=only.venues)
            wanted = [n for name, n in self._facts.venues.items() if by_venue.admits(year=0, venue=name, source="")]
            allowed = allowed & np.isin(self._array("venue"), wanted)
        if only.sources:
            wanted = [n for name, n in self._facts.sources.items() if name in only.sources]
            allowed = allowed & np.isin(self._array("source"), wanted)
        for name in query.exclude:
            if (position := self._positions.get(name)) is not None:
                allowed[position] = False
        return allowed

    def _array(self, name: Literal["days", "years", "venue", "source"]) -> NDArray[np.int32]:
        import numpy as np

        if name not in self._arrays:
            self._arrays[name] = np.asarray(getattr(self._facts, name), dtype=np.int32)
        return self._arrays[name]

    @cached_property
    def _arrays(self) -> dict[str, NDArray[np.int32]]:
        return {}

    @cached_property
    def _owners(self) -> NDArray[np.intp]:
        """For each passage the position of its document."""
        import numpy as np

        return np.repeat(np.arange(len(self.ids)), self._facts.passages)

    @cached_property
    def _firsts(self) -> NDArray[np.intp]:
        """For each document how many passages come before its own."""
        import numpy as np

        return np.concatenate(([0], np.cumsum(self._facts.passages)[:-1])).astype(np.intp)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.ids)}


@dataclass(frozen=True, slots=True)
class BM25:
    """The retriever over an index. `fetch` gives the document of each row; scores are named "bm25"."""

    index: BM25Index
    fetch: Callable[[Sequence[str]], Sequence[Document]]

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        """One ranking a query; CPU work off the event loop."""
        return await asyncio.to_thread(lambda: tuple(self._one(query, k) for query in queries))

    def _one(self, query: Query, k: int) -> Ranking:
        found = self.index.search(query, k)
        documents = self.fetch([self.index.row(position) for position, _ in found])
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


def bm25_over(
    documents: Iterable[Document],
    *,
    k1: float = 0.9,
    b: float = 0.4,
    fetch: Callable[[Sequence[str]], Sequence[Document]] | None = None,
) -> BM25:
    """BM25 over documents that are at hand; a document's metadata may name its source, by which queries filter. `fetch` gives the documents that come
    back, by default those that were indexed. Raises BadInput without any word."""
    known = {document.id: document for document in documents}
    index = BM25Index.of_rows(
        (
            Row(d.id, d.id, d.text, day_number(last_day(d)), source=str(d.metadata.get("source") or ""))
            for d in known.values()
        ),
        k1=k1,
        b=b,
    )
    return BM25(index, fetch or (lambda ids: [known[name] for name in ids]))
