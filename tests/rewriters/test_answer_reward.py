"""AdaQR's reward by hand and by brute force, its limits, and what the reader must never see."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.protocols import TokenScores
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Message, Query, Ranking, Score
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.rewriters.answer_reward import AnswerReward, combined, preferences, weights

TEXTS = {"d1": "Ada met Bo at the bay.", "d2": "Snails graze.", "d3": "The bay has dunes."}
FOUND = {"who did ada meet": (("d1", 9.0), ("d3", 5.0), ("d2", 1.0)), "snails": (("d2", 3.0),), "nothing": ()}
READ = {"d1": -0.5, "d2": -4.0, "d3": -2.0}
QUESTION = Query("Whom did she meet?", history=("Who is Ada?", "A surveyor."))
LOGS = st.lists(st.tuples(st.floats(-20, 20), st.floats(-30, 0)), min_size=1, max_size=6)


class Index:
    async def retrieve(self, queries: list[Query], k: int) -> tuple[Ranking, ...]:
        def hits(query: Query) -> tuple[Hit, ...]:
            rows = enumerate(FOUND[query.text][:k], start=1)
            return tuple(Hit(Document(n, "", TEXTS[n]), (Score(s, "bm25", query.text, r),)) for r, (n, s) in rows)

        return tuple(Ranking(query, hits(query)) for query in queries)


def reader(request: ModelRequest) -> list[float]:
    prompt = request.messages[0].content
    return [next(READ[name] for name, text in TEXTS.items() if text in prompt)]


def reward(**options: object) -> tuple[AnswerReward, ScriptedBackend]:
    backend = ScriptedBackend(answer=reader)
    gate = Gateway(Settings(model="scripted/m"), cache=RequestCache(":memory:"), backend=backend)
    return AnswerReward(gate.model("answer"), Index(), **options), backend  # type: ignore[arg-type]


async def test_by_hand() -> None:
    made, backend = reward(normalisation="none", temperature=4.0)
    found = await made.of(QUESTION, ["who did ada meet", "snails", "nothing"], "Bo")
    parts = [math.exp(s / 4) for s in (9.0, 5.0, 1.0)]
    chances = [part / sum(parts) for part in parts]
    expected = math.log(sum(c * math.exp(READ[n]) for c, n in zip(chances, ("d1", "d3", "d2"), strict=True)))
    assert found[0] == pytest.approx(expected)
    assert found[1] == pytest.approx(-4.0), "one passage: its likelihood"
    assert found[2] == -math.inf
    assert len(backend.requests) == 3, "d2 is found twice and read once"
    released, _ = reward(normalisation="none", temperature=4.0, form="expected-nll")
    (nll,) = await released.of(QUESTION, ["who did ada meet"], "Bo")
    assert nll == pytest.approx(sum(c * READ[n] for c, n in zip(chances, ("d1", "d3", "d2"), strict=True)))


class Pieces:
    """A reader whose answers have several tokens, of known log-probabilities."""

    async def score(self, messages: Sequence[Message], continuations: Sequence[str]) -> list[TokenScores]:
        text = messages[0].content
        logs = {"d1": (-0.1, -0.4, -1.0), "d2": (-3.0, -5.0), "d3": (-2.0,)}
        name = next(name for name, said in TEXTS.items() if said in text)
        return [TokenScores(tuple("x" for _ in logs[name]), logs[name]) for _ in continuations]


async def test_a_likelihood_is_that_of_a_token_however_many_an_answer_has() -> None:
    made = AnswerReward(Pieces(), Index(), normalisation="none", temperature=4.0)  # type: ignore[arg-type]
    (found,) = await made.of(QUESTION, ["who did ada meet"], "Bo the surveyor")
    parts = [math.exp(s / 4) for s in (9.0, 5.0, 1.0)]
    means = [-1.5 / 3, -2.0, -4.0]
    assert found == pytest.approx(
        math.log(sum(p / sum(parts) * math.exp(m) for p, m in zip(parts, means, strict=True)))
    )


def test_scores_are_brought_to_one_scale() -> None:
    """By hand: of 1, 3 and 5 the mean is 3, the deviation of the whole population the root of 8/3."""
    z = math.sqrt(1.5)
    for form, values in (("z", (-z, 0.0, z)), ("minmax", (0.0, 0.5, 1.0)), ("none", (1.0, 3.0, 5.0))):
        whole = math.log(sum(math.exp(v / 0.5) for v in values))
        found = weights([1.0, 3.0, 5.0], temperature=0.5, normalisation=form)  # type: ignore[arg-type]
        assert found == pytest.approx([v / 0.5 - whole for v in values])


async def test_the_reader_sees_the_question_and_never_the_rewrite() -> None:
    made, backend = reward()
    await made.of(QUESTION, ["who did ada meet", "snails"], " Bo ")
    for request in backend.requests:
        prompt = request.messages[0].content
        assert "who did ada meet" not in prompt
        assert "snails" not in prompt.replace(TEXTS["d2"], "")
        assert prompt.endswith("Question: Whom did she meet?\nAnswer:")
        assert "Question: Who is Ada?\nAnswer: A surveyor." in prompt
        assert request.continuations == (" Bo",)


@given(LOGS)
def test_the_marginal_is_the_brute_force_sum_and_bounds_the_released_form(rows: list[tuple[float, float]]) -> None:
    scores, answers = [s for s, _ in rows], [a for _, a in rows]
    chances = weights(scores, normalisation="none")
    brute = math.log(sum(math.exp(w) * math.exp(a) for w, a in zip(chances, answers, strict=True)))
    marginal = combined(chances, answers)
    assert marginal == pytest.approx(brute, abs=1e-6)
    assert combined(chances, answers, form="expected-nll") <= marginal + 1e-9
    assert sum(map(math.exp, chances)) == pytest.approx(1.0)


def test_temperature_reaches_from_the_best_passage_to_all_alike() -> None:
    cold = [math.exp(w) for w in weights([3.0, 2.0, 1.0], temperature=1e-3)]
    warm = [math.exp(w) for w in weights([3.0, 2.0, 1.0], temperature=1e6)]
    assert cold == pytest.approx([1.0, 0.0, 0.0], abs=1e-9)
    assert warm == pytest.approx([1 / 3] * 3, abs=1e-5)
    assert [math.exp(w) for w in weights([5.0, 5.0])] == pytest.approx([0.5, 0.5])
    assert max(math.exp(w) for w in weights([30.0, 20.0], normalisation="none")) > 0.9999, "raw BM25 is one-hot"
    for scores, temperature in (([], 1.0), ([1.0], 0.0)):
        with pytest.raises(ValueError, match="at least one"):
            weights(scores, temperature=temperature)
    assert combined([math.log(0.5)] * 2, [-1000.0, -1001.0]) == pytest.approx(
        -1000 + math.log(0.5 * (1 + math.exp(-1)))
    )


def test_equal_rewards_make_no_pair_at_any_margin() -> None:
    assert preferences(["a", "b", "c"], [-1e9] * 3, margin=0.0) == []
    assert len(preferences(["a", "b", "c"], [0.0, 0.0, 1.0], margin=0.0)) == 2


def test_pairs_by_margin_none_of_one_text_twice() -> None:
    pairs = preferences(["a b", "A  b", "c", "d"], [-1.0, -5.0, -3.0, -3.0005], margin=0.001)
    assert {(p.chosen, p.rejected) for p in pairs} == {(0, 2), (0, 3), (2, 1), (3, 1)}
    assert [p.margin for p in pairs] == sorted((p.margin for p in pairs), reverse=True)
