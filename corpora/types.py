"""What an eval asks and what it knows: topics with their relevance judgements over one corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from litrag.core.store import digest
from litrag.core.types import Document, Query, Ranking

__all__ = ["Dataset", "Topic", "last_day", "part_of"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One question of a data set. `relevant` maps document ids to grades (TREC qrels; 0 is judged and not relevant), `group` is what
    must not stand in two splits (a page, a dialogue), `candidates` the ranking that a reranker gets where the set brings one, `facts`
    whatever only its own eval reads (supporting sentences, human rewrite, aliases)."""

    id: str
    query: Query
    relevant: Mapping[str, int]
    answers: tuple[str, ...] = ()
    group: str = ""
    candidates: Ranking | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Topics over a corpus that is streamed anew at each call. `split` is the part that was taken, "all" for the whole."""

    name: str
    split: str
    topics: tuple[Topic, ...]
    corpus: Callable[[], Iterator[Document]]

    def sample(self, n: int | None, seed: int) -> Dataset:
        """The same data set with `n` of its topics, chosen by a hash of seed and id: a smaller sample is a part of a larger one. Types of questions
        (facts["type"], as bridge and comparison) are drawn in their proportion (Webster's rule). Topics keep their order. None is all."""
        if n is None or n >= len(self.topics):
            return self
        strata: dict[str, list[str]] = {}
        for name, stratum in sorted(
            ((topic.id, str(topic.facts.get("type", ""))) for topic in self.topics),
            key=lambda pair: digest([seed, pair[0]]),
        ):
            strata.setdefault(stratum, []).append(name)
        ranked = sorted(
            ((place + 0.5) / len(names), stratum, name)
            for stratum, names in strata.items()
            for place, name in enumerate(names)
        )
        chosen = {name for _, _, name in ranked[:n]}
        return replace(self, topics=tuple(topic for topic in self.topics if topic.id in chosen))

    def reachable(self) -> Iterator[Document]:
        """The documents of the corpus that some topic may get: of those that are newer than every topic allows no vector need be made."""
        cuts = [topic.query.before for topic in self.topics]
        latest = max((cut for cut in cuts if cut), default=None) if all(cuts) else None
        for document in self.corpus():
            day = last_day(document)
            if latest is None or day is None or day < latest:
                yield document

    @property
    def fingerprint(self) -> str:
        """A hash of topics and judgements: two results compare only where it is the same."""
        return digest([[topic.id, topic.query.text, sorted(topic.relevant.items())] for topic in self.topics])[:16]


def last_day(document: Document) -> date | None:
    """31 December of a document's year, the latest day on which it can have appeared; None where the year is unknown."""
    year = document.metadata.get("year")
    return date(year, 12, 31) if isinstance(year, int) and year else None


def part_of(group: str, shares: Sequence[tuple[str, int]]) -> str:
    """The split of a group by its hash alone: `shares` are percent, for example (("train", 50), ("test", 50))."""
    place = int(digest(group)[:8], 16) % 100
    for name, share in shares:
        if place < share:
            return name
        place -= share
    raise ValueError(f"the shares {shares} do not sum to 100")
