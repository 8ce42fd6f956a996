"""How good a rewrite is by what it lets a reader answer (AdaQR, arXiv 2406.10991, section 3.2): the probability of the known answer, over
the passages that the rewrite finds, P(a) = sum over k of P(p_k | rewrite) P(a | question, p_k).

The reader sees the question as it was asked, never the rewrite: else it would be rewarded for saying the answer."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from litrag.core.fusion import stage_scores
from litrag.core.lengths import measure_of
from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import ForcedScoring, Retriever
from litrag.core.sync import all_or_first_error
from litrag.core.types import Message, Query, Ranking

__all__ = ["ANSWER", "AnswerReward", "Form", "Normalisation", "Preference", "combined", "preferences", "weights"]

Form: TypeAlias = Literal["marginal", "expected-nll"]
Normalisation: TypeAlias = Literal["z", "minmax", "none"]

ANSWER: Final = Prompt("""Passage: $passage

$history
Question: $question
Answer:""")


def weights(scores: Sequence[float], *, temperature: float = 1.0, normalisation: Normalisation = "z") -> list[float]:
    """log P(p_k | rewrite), a softmax over retrieval scores divided by `temperature` > 0. BM25's raw scores make it all but one-hot, so they
    are first brought to mean 0 and deviation 1 ("z") or to [0, 1] ("minmax"). Raises ValueError for no score, or a temperature of 0 or less."""
    if not scores or temperature <= 0:
        raise ValueError(
            f"{len(scores)} scores at temperature {temperature}: give at least one, and a temperature above 0"
        )
    values = [value / temperature for value in _normalised(scores, normalisation)]
    whole = _log_sum(values)
    return [value - whole for value in values]


def combined(log_weights: Sequence[float], answers: Sequence[float], *, form: Form = "marginal") -> float:
    """The reward of one rewrite from log P(p_k | rewrite) and the answer's log-likelihood by token under each passage. "marginal": log P(a),
    at most 0, exact in log space. "expected-nll": -sum of P(p_k) times the negative log-likelihood, what AdaQR's released code computes; by
    Jensen never above the marginal. Raises ValueError for sequences of different length."""
    pairs = list(zip(log_weights, answers, strict=True))
    if form == "marginal":
        return _log_sum([weight + answer for weight, answer in pairs])
    return math.fsum(math.exp(weight) * answer for weight, answer in pairs)


@dataclass(frozen=True, slots=True)
class Preference:
    """Two rewrites of a question, by their places, of which the first has the greater reward by `margin`."""

    chosen: int
    rejected: int
    margin: float


def preferences(texts: Sequence[str], rewards: Sequence[float], *, margin: float = 0.001) -> list[Preference]:
    """All pairs of unlike rewrites whose rewards differ, and by at least `margin` (AdaQR: .001), greatest difference first."""
    found = []
    for i, j in itertools.combinations(range(len(texts)), 2):
        gap = rewards[i] - rewards[j]
        if (
            " ".join(texts[i].split()).casefold() != " ".join(texts[j].split()).casefold()
            and gap
            and abs(gap) >= margin
        ):
            found.append(Preference(i, j, gap) if gap > 0 else Preference(j, i, -gap))
    return sorted(found, key=lambda pair: -pair.margin)


@dataclass(frozen=True, slots=True)
class AnswerReward:
    """Rewards of rewrites: `k` passages of each (AdaQR: 5) from `retriever`, read by `reader`. A passage is cut to `tokens` tokens, of the
    history the last `history_tokens` are shown."""

    reader: ForcedScoring
    retriever: Retriever
    k: int = 5
    temperature: float = 1.0
    normalisation: Normalisation = "z"
    form: Form = "marginal"
    tokens: int = 300
    history_tokens: int = 200

    async def of(self, query: Query, rewrites: Sequence[str], answer: str) -> tuple[float, ...]:
        """A reward a rewrite; -inf for one that finds nothing. Passages that several find are read once. Raises ModelFault, BudgetSpent."""
        asked = [replace(query, text=text, history=(), context="", parent=query.text) for text in rewrites]
        rankings = await self.retriever.retrieve(asked, self.k)
        passages = {hit.document.id: hit.document.text for ranking in rankings for hit in ranking.hits}
        read = await all_or_first_error([self._likelihood(query, text, answer) for text in passages.values()])
        known = dict(zip(passages, read, strict=True))
        return tuple(self._reward(ranking, [known[name] for name in ranking.ids]) for ranking in rankings)

    def _reward(self, ranking: Ranking, answers: Sequence[float]) -> float:
        if not ranking.hits:
            return -math.inf
        scores = stage_scores(ranking)
        chances = weights(
            [scores[name] for name in ranking.ids], temperature=self.temperature, normalisation=self.normalisation
        )
        return combined(chances, answers, form=self.form)

    async def _likelihood(self, query: Query, passage: str, answer: str) -> float:
        measure = measure_of(self.reader)
        turns = [f"{'Answer' if i % 2 else 'Question'}: {text}" for i, text in enumerate(query.history)]
        while turns and measure.count("\n".join(turns)) > self.history_tokens:
            turns = turns[2:]
        prompt = ANSWER.fill(
            passage=measure.cut(neutralised(passage), self.tokens),
            history="\n".join(map(neutralised, turns)),
            question=neutralised(query.text),
        )
        # plain text that goes on with a blank and the answer: the boundary is where a tokenizer would put it anyway
        (scores,) = await self.reader.score([Message("assistant", prompt)], [f" {answer.strip()}"])
        return scores.mean


def _normalised(scores: Sequence[float], normalisation: Normalisation) -> list[float]:
    if normalisation == "none":
        return list(scores)
    low, high = min(scores), max(scores)
    if high <= low:
        return [0.0] * len(scores)
    if normalisation == "minmax":
        return [(score - low) / (high - low) for score in scores]
    mean, spread = statistics.fmean(scores), statistics.pstdev(scores)
    return [(score - mean) / spread for score in scores]


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top if math.isinf(top) else top + math.log(math.fsum(math.exp(value - top) for value in values))
