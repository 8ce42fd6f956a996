"""The rows of `litrag eval rerank`: each a function from the bench to a `System`, registered in evals.rerank.METHODS.

Class a: encoders that others trained. MiniLM has seen MS MARCO, from which TREC DL's queries and passages come. Class b: a small language
model as it came. Class c: the same, trained here, from weights that have not seen MS MARCO's judgements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from litrag.core.protocols import Reranker, TokenEmbedder
from litrag.core.types import Ranking
from litrag.corpora.types import Topic
from litrag.evals.journal import Answer
from litrag.evals.rerank_bench import RerankBench, Row
from litrag.evals.runner import System
from litrag.evals.trainings import SEEDS, shown
from litrag.pipelines.methods import token_store
from litrag.rerankers.combined import Fused, SelfConsistent
from litrag.rerankers.cross_encoder import CrossEncoder
from litrag.rerankers.debate import Debate
from litrag.rerankers.first_token import First, Graded, YesNo
from litrag.rerankers.groupwise import Groupwise
from litrag.rerankers.insertrank import InsertRank
from litrag.rerankers.maxsim import MaxSim
from litrag.rerankers.pairwise import Pairwise
from litrag.rerankers.query_likelihood import QueryLikelihood
from litrag.rerankers.rubric import Rubric
from litrag.rerankers.setwise import Setwise
from litrag.rerankers.similarity import FirstStageOrder, Similarity
from litrag.training.judged import DEPTH

__all__ = ["ROWS", "bm25", "maxsim", "row", "similarity"]

ARGUED: Final = 10  # candidates of the methods that write reasons for each
LISTED: Final = 20  # candidates of the methods that write an order
_SHORT: Final = 48  # tokens of a passage in the experiment on scores, which is six trainings and fifteen passes a form


def bm25(bench: RerankBench) -> System:
    """The input."""
    return System("bm25", lambda: _Embedding(bench, lambda: FirstStageOrder()), {"class": "", "depth": DEPTH})


def similarity(bench: RerankBench) -> System:
    """Cosine of MiniLM alone: the first stage weighs nothing."""
    made = lambda: Similarity(bench.gateway.embedder(), first_stage_weight=0.0)  # noqa: E731
    return System(
        "similarity", lambda: _Embedding(bench, made), {"class": "a", "depth": DEPTH, "model": _embeds(bench)}
    )


def maxsim(bench: RerankBench) -> System:
    """MaxSim over MiniLM's token vectors, the first stage mixed in by halves."""

    def made() -> Reranker:
        embedder = bench.gateway.embedder(needs=TokenEmbedder)
        return MaxSim(embedder=embedder, documents=token_store(embedder))

    return System("maxsim", lambda: _Embedding(bench, made), {"class": "a", "depth": DEPTH, "model": _embeds(bench)})


def row(name: str, bench: RerankBench) -> System:
    """The row of a name in ROWS."""
    return bench.system(ROWS[name])


def _embeds(bench: RerankBench) -> str:
    return shown(bench.settings.role_model("embed"))


class _Embedding:
    """A reranker without a language model."""

    def __init__(self, bench: RerankBench, make: Callable[[], Reranker]) -> None:
        self._bench, self._reranker = bench, make()

    async def answer(self, topic: Topic) -> Answer:
        given: Ranking = self._bench.candidates[topic.id]
        return self._bench.answered(topic, await self._reranker.rerank(given, depth=DEPTH), DEPTH, {})


@dataclass(frozen=True, slots=True)
class _Kind:
    """A method and its depth; what power of a model it needs it says itself."""

    made: Any
    depth: int = DEPTH
    tokens: int | None = None
    tasked: bool = False

    def row(
        self, name: str, *, group: str = "b", fused: float = 0.0, shuffles: int = 0, trained: Any = (), **options: Any
    ) -> Row:
        """A row; `fused` > 0 mixes the first stage in by so much, `shuffles` > 0 asks in so many random orders."""
        options |= {"tokens": self.tokens} if self.tokens else {}

        def make(model: Any, **told: Any) -> Reranker:
            built: Reranker = self.made(model, **options, **told)
            built = SelfConsistent(built, shuffles=shuffles) if shuffles else built
            return Fused(built, first_stage_weight=fused) if fused else built

        settings = {**options, **({"first_stage_weight": fused} if fused else {})}
        return Row(name, make, self.made.needs, self.depth, group, trained, settings, self.tasked)


_LIKELIHOOD: Final = _Kind(QueryLikelihood)
_YES_NO: Final = _Kind(YesNo)
_GRADED: Final = _Kind(Graded)
_FIRST: Final = _Kind(First)
_GROUPWISE: Final = _Kind(Groupwise)
_INSERTRANK: Final = _Kind(InsertRank, LISTED, tasked=True)
_SETWISE: Final = _Kind(Setwise, LISTED)
_PAIRWISE: Final = _Kind(Pairwise, LISTED)
_RUBRIC: Final = _Kind(Rubric, ARGUED, tasked=True)
_DEBATE: Final = _Kind(Debate, ARGUED, tasked=True)


def _learned(form: str, **own: Any) -> tuple[Mapping[str, Any], ...]:
    """The trainings of a form, one a seed, some five to eight minutes each on two cores."""
    size = {"batch_size": 2, "max_steps": 30} if form == "first" else {"batch_size": 4, "max_steps": 25}
    group = LISTED if form == "first" else 6
    shared = {"form": form, "group": group, "tokens": _SHORT, **own}
    return tuple({"seed": seed, **size, "own": shared} for seed in SEEDS)


# a training of a quarter of an hour on two cores
_LIKELIHOODS: Final = (
    {
        "seed": 0,
        "batch_size": 4,
        "max_steps": 40,
        "own": {"form": "likelihood", "group": 6, "tokens": 100, "temperature": 0.2},
    },
)


def _with_scores(kind: _Kind, form: str) -> tuple[Row, ...]:
    """InsertRank's effect on a form: trained without and with the score, the controls of the latter, and the plain fusion."""
    without, with_ = _learned(form), _learned(form, scores="own")
    kind = replace(kind, depth=LISTED, tokens=_SHORT)
    name = f"trained-{form}"
    return (
        kind.row(name, group="c", trained=without),
        kind.row(f"{name}-fused-.3", group="c", trained=without, fused=0.3),
        kind.row(f"{name}-fused-.5", group="c", trained=without, fused=0.5),
        kind.row(f"{name}-scores", group="c", trained=with_, scores="own"),
        kind.row(f"{name}-scores-permuted", group="c", trained=with_, scores="permuted"),
        kind.row(f"{name}-scores-constant", group="c", trained=with_, scores="constant"),
        kind.row(f"{name}-scores-none", group="c", trained=with_, scores="none"),
        kind.row(f"{name}-scores-fused-.3", group="c", trained=with_, scores="own", fused=0.3),
        # a document alone has no order
        *(
            ()
            if form == "yes-no"
            else (kind.row(f"{name}-scores-shuffled", group="c", trained=with_, scores="own", order="shuffled"),)
        ),
    )


ROWS: Final[Mapping[str, Row]] = {
    each.name: each
    for each in (
        _Kind(CrossEncoder).row("cross-encoder", group="a"),
        _LIKELIHOOD.row("query-likelihood"),
        _LIKELIHOOD.row("query-likelihood-fused", fused=0.3),
        _LIKELIHOOD.row("query-likelihood-instructed", form="instruction"),
        _LIKELIHOOD.row("query-likelihood-calibrated", calibration=0.25),
        _YES_NO.row("yes-no"),
        _YES_NO.row("yes-no-fused", fused=0.3),
        _GRADED.row("graded"),
        _GRADED.row("graded-fused", fused=0.3),
        _FIRST.row("first"),
        _FIRST.row("first-fused", fused=0.3),
        _GROUPWISE.row("groupwise", tokens=100),
        _INSERTRANK.row("listwise", scores="none", tokens=100),
        _INSERTRANK.row("listwise-window", scores="none", tokens=100, window=10, stride=5),
        _INSERTRANK.row("insertrank", tokens=100),
        _INSERTRANK.row("insertrank-permuted", scores="permuted", tokens=100),
        _INSERTRANK.row("insertrank-shuffled", order="shuffled", tokens=100),
        _INSERTRANK.row("listwise-consistent", shuffles=3, scores="none", tokens=100),
        _SETWISE.row("setwise", tokens=100),
        _PAIRWISE.row("pairwise", form="sliding", passes=3, tokens=100),
        _RUBRIC.row("rubric", tokens=200),
        _DEBATE.row("debate", tokens=100, retries=0),
        _LIKELIHOOD.row("trained-likelihood", group="c", trained=_LIKELIHOODS),
        _LIKELIHOOD.row("trained-likelihood-fused", group="c", trained=_LIKELIHOODS, fused=0.3),
        *_with_scores(_FIRST, "first"),
        *_with_scores(_YES_NO, "yes-no"),
    )
}
