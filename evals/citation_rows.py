"""Rows of a retrieval table that learn from citations: a trained retriever, and reference lists of papers of strictly earlier years."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from litrag.core.errors import BadInput
from litrag.core.types import Hit, Paper, Query, Ranking, Score
from litrag.corpora import load, split_of
from litrag.evals.retrieval_bench import Bench, Counted
from litrag.evals.retrieval_rows import by_fields
from litrag.evals.runner import System
from litrag.evals.trainings import trained as made
from litrag.models.weights import documents_model
from litrag.retrievers.citing import CitingPapers, ReferenceList
from litrag.retrievers.snowball import EmbeddingScorer, Snowball
from litrag.retrievers.sources.citation_file import CitationFile
from litrag.training import defaults_of

if TYPE_CHECKING:
    from litrag.core.protocols import Retriever, Vectors

__all__ = [
    "ABLATIONS",
    "ablation",
    "bm25_popularity",
    "citing",
    "fields_popularity",
    "lists_before",
    "popularity",
    "snowball",
    "trained",
    "trained_citing",
]

# Beside z-scores, of log(1 + citations) and of log(1 + 5 x the neighbours' score, which is in [0, 1]. Tuned on papers of 2018 that read the lists
# of 2017: a plateau from .25 to .75 and from 1 to 2. (Tuned with every other list of train, same year included, they came out twice as large
# and lost .02 to .04 of R@100 on the test: a leak misleads tuning, too.)
POPULARITY_WEIGHT: Final = 0.5
NEIGHBOUR_WEIGHT: Final = 1.0
ALONE_WEIGHT: Final = 1.0  # of popularity in the controls, which have no neighbours; tuned likewise
# name -> what differs from the recipe's defaults, each a row of the training table
ABLATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "trained": {},
    "hard-negatives": {"hard_negatives": 200},
    "consistency": {"consistency": 500},
    "margin": {"margin": 0.8},
    "sufficiency": {"sufficiency": 0.7},
    "pruned": {"prune": 0.2},
    "lexical": {"lexical": True},
    "lora": {},
}
_TUNING: Final[Mapping[str, Mapping[str, Any]]] = {
    "lora": {"tuning": "lora", "learning_rate": 1e-3, "max_steps": 30, "batch_size": 32}
}


def trained(bench: Bench) -> System:
    """`fields` with queries embedded by a head that the data set's training part taught (`litrag train retriever`)."""
    return bench.system("trained", lambda: by_fields(bench, bench.embedder(_trained(bench, {}, {}))), **_recipe({}, {}))


def ablation(name: str, bench: Bench) -> System:
    """Dense retrieval alone with a retriever trained under other settings."""
    from litrag.retrievers.dense import Dense

    own, tuning = ABLATIONS[name], _TUNING.get(name, {})

    def build() -> Retriever:
        return Dense(bench.embedder(_trained(bench, own, tuning)), bench.index, bench.fetch, "dense")

    return bench.system(f"dense-{name}", build, **_recipe(own, tuning))


dense_trained = partial(ablation, "trained")
dense_hard_negatives = partial(ablation, "hard-negatives")
dense_consistency = partial(ablation, "consistency")
dense_margin = partial(ablation, "margin")
dense_sufficiency = partial(ablation, "sufficiency")
dense_pruned = partial(ablation, "pruned")
dense_lexical = partial(ablation, "lexical")
dense_lora = partial(ablation, "lora")


def popularity(bench: Bench) -> System:
    """A control: how often papers of strictly earlier years cite a paper, whatever was asked."""
    return bench.ranking("popularity", lambda: _Citing(bench, None, popular=1.0, near=0.0))


def bm25_popularity(bench: Bench) -> System:
    """A control: BM25 with popularity."""
    return bench.ranking(
        "bm25-popularity",
        lambda: _Citing(bench, bench.bm25, popular=ALONE_WEIGHT, near=0.0),
        popularity=ALONE_WEIGHT,
    )


def fields_popularity(bench: Bench) -> System:
    """A control: `fields` with popularity; what `citing` has beyond it is the worth of near papers' lists."""
    return bench.ranking(
        "fields-popularity",
        lambda: _Citing(bench, by_fields(bench), popular=ALONE_WEIGHT, near=0.0),
        popularity=ALONE_WEIGHT,
    )


def citing(bench: Bench) -> System:
    """`fields` with popularity and the reference lists of near papers of strictly earlier years."""
    return bench.ranking("citing", lambda: _Citing(bench, by_fields(bench)), **_weights())


def trained_citing(bench: Bench) -> System:
    """The same upon `trained`."""
    return bench.ranking(
        "trained-citing",
        lambda: _Citing(bench, by_fields(bench, bench.embedder(_trained(bench, {}, {})))),
        **_weights(),
    )


def snowball(bench: Bench) -> System:
    """`fields`, then two hops along citations that were known before the query's year, both ways, from its best 20."""
    return bench.ranking(
        "snowball", lambda: _Snowballed(bench, by_fields(bench)), seeds=20, hops=2, weight=NEIGHBOUR_WEIGHT
    )


def _weights() -> dict[str, Any]:
    return {"popularity": POPULARITY_WEIGHT, "neighbours": NEIGHBOUR_WEIGHT}


def _recipe(own: Mapping[str, Any], tuning: Mapping[str, Any]) -> dict[str, Any]:
    settings = {**defaults_of("retriever"), **tuning}
    return {**{name: value for name, value in settings.items() if name != "save_every"}, **own}


def _trained(bench: Bench, own: Mapping[str, Any], tuning: Mapping[str, Any]) -> str:
    """The model string of the retriever that the training part teaches; the one in force where that is trained already."""
    given = bench.settings.role_model("embed") or ""
    if documents_model(given) != given:
        return given
    settings = {**tuning, "seed": bench.options.seed, "own": dict(own)}
    return made("retriever", bench.training_part, given, settings)[0]


def lists_before(bench: Bench) -> list[ReferenceList]:
    """All reference lists of an ACL data set, whatever the split: which may be read is decided by the query's year."""
    body, _ = split_of(bench.options.dataset or "")
    try:
        everything = load(f"{body}:all")
    except BadInput as error:
        raise BadInput(f"data set {bench.dataset.name} has no citation lists; use acl") from error
    return [
        ReferenceList(topic.id, date(topic.query.before.year - 1, 12, 31), tuple(topic.relevant))
        for topic in everything.topics
        if topic.query.before is not None
    ]


class _Citing:
    """A first stage's z-scores plus what earlier reference lists say; without a first stage, those alone."""

    def __init__(
        self,
        bench: Bench,
        first: Retriever | None,
        *,
        popular: float = POPULARITY_WEIGHT,
        near: float = NEIGHBOUR_WEIGHT,
    ) -> None:
        self._bench, self._first, self._popular, self._near = bench, first, popular, near
        lists = lists_before(bench)
        self._papers = CitingPapers(lists, bench.index.vectors[[bench.index.places[item.id] for item in lists]])

    async def rank(self, query: Query, k: int) -> Counted:
        assert query.before is not None
        as_of = date(query.before.year - 1, 1, 1)  # lists of strictly earlier years than the query's
        first = Ranking(query) if self._first is None else (await self._first.retrieve([query], k))[0]
        return Counted(_raised(self._bench, first, self._gains(query, as_of), k))

    def _gains(self, query: Query, as_of: date) -> dict[str, float]:
        gains = {n: self._popular * math.log1p(c) for n, c in self._papers.popularity(query, as_of).items()}
        if self._near:
            for name, value in self._papers.neighbours(query, self._vector(query), as_of).items():
                gains[name] = gains.get(name, 0.0) + self._near * math.log1p(5 * value)
        return gains

    def _vector(self, query: Query) -> Vectors:
        """The query as a document of the pool: it is one."""
        (own,) = query.exclude
        vector: Vectors = self._bench.index.vectors[self._bench.index.places[own]]
        return vector


class _Snowballed:
    """A first stage's z-scores plus the snowball's scores."""

    def __init__(self, bench: Bench, first: Retriever) -> None:
        self._bench, self._first = bench, first
        rows = [{"id": item.id, "cites": item.cites, "year": item.day.year} for item in lists_before(bench)]
        self._graph = CitationFile.over(rows, self._papers)
        self._scorer = EmbeddingScorer(bench.embedder())

    async def rank(self, query: Query, k: int) -> Counted:
        assert query.before is not None
        (first,) = await self._first.retrieve([query], k)
        known = self._graph.before(date(query.before.year - 1, 1, 1))
        walk = Snowball(
            graph=known,
            graph_name="file",
            scorer=self._scorer,
            hops=2,
            seeds=20,
            most=300,
            directions=("references", "citations"),
            dry=0.0,
        )
        # Papers that the first stage has may be raised, too, so only the seeds count as known.
        grown = await walk.grow(query, self._papers(first.ids[:20]))
        best = max((scores[-1].value for scores in grown.scores), default=1.0)
        gains = {
            paper.id: NEIGHBOUR_WEIGHT * math.log1p(5 * scores[-1].value / best)
            for paper, scores in zip(grown.papers, grown.scores, strict=True)
        }
        return Counted(_raised(self._bench, first, gains, k), {"searches": 1 + grown.requests})

    def _papers(self, ids: Sequence[str]) -> list[Paper]:
        found = (self._bench.documents[name] for name in ids if name in self._bench.documents)
        return [Paper(d.id, d.title, d.text.partition("\n")[2], year=int(d.metadata.get("year") or 0)) for d in found]


def _raised(bench: Bench, first: Ranking, gains: Mapping[str, float], k: int) -> Ranking:
    """The first stage's z-scores with what is gained beside them; what it lacks begins at its lowest. Only what the query may get."""
    query = first.query
    scores, hits = _standard(first), {hit.document.id: hit for hit in first.hits}
    lowest = min(scores.values(), default=0.0)
    for name, value in gains.items():
        scores[name] = scores.get(name, lowest) + value
    places, allowed = bench.index.places, bench.index.allowed(query)
    may = [name for name in scores if name in places and allowed[places[name]]]
    order = sorted(may, key=lambda name: (-scores[name], name))[:k]
    found = (hits.get(name) or Hit(bench.documents[name]) for name in order)
    ranked = (hit.scored(Score(scores[hit.document.id], "citing", query.text, i)) for i, hit in enumerate(found, 1))
    return Ranking(query, tuple(ranked))


def _standard(ranking: Ranking) -> dict[str, float]:
    """z-scores of the ranking's own scores over its hits."""
    import statistics

    values = [hit.scores[-1].value for hit in ranking.hits]
    if len(values) < 2:
        return {hit.document.id: 0.0 for hit in ranking.hits}
    mean, spread = statistics.fmean(values), statistics.pstdev(values) or 1.0
    return {hit.document.id: (value - mean) / spread for hit, value in zip(ranking.hits, values, strict=True)}
