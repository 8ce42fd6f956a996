"""Pairs of sentences and passages, true and false, and what rows make of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes.scholar import answers

from litrag.core.errors import BadInput
from litrag.core.types import Document, Query
from litrag.corpora.types import Topic
from litrag.evals.runner import evaluate
from litrag.evals.tasks import EvalOptions
from litrag.evals.verify import METHODS, VERIFY, Pair, altered, claims, negated, pairs_of
from litrag.pipelines.support import LEAST, Both, Coverage, Likeness

TEXT = "Tides move sand along the shore [0]. Dogs find truffles for 12 hours. [1, 2] Nobody cites this. It is a long tale [1]."


def test_what_cites_what() -> None:
    assert claims(TEXT) == [
        ("Tides move sand along the shore .", (0,)),
        ("Dogs find truffles for 12 hours.", (1, 2)),
        ("It is a long tale .", (1,)),
    ]


def test_altered_and_negated() -> None:
    changed = altered("They took 12 hours and 3 days.")
    assert changed != "They took 12 hours and 3 days."
    assert changed.endswith("hours and 3 days.")
    assert altered("no number [12]") == ""
    assert altered("(3) They walked.") == "", "it counts the sentence"
    assert altered("(3) They took 12 hours.").startswith("(3) They took ")
    assert altered("In 0 cases") != "In 0 cases"
    assert negated("Tides are not strong.") == "Tides are strong."
    assert negated("Tides can move sand.") == "Tides can not move sand."
    assert negated("Tides move sand.") == ""


def test_pairs_of_each_grade() -> None:
    passages = [Document(f"p{i}", "", f"passage {i}") for i in range(4)]
    topic = Topic("q", Query("?"), {}, (TEXT,))
    pairs = pairs_of(topic, passages, [Document("s", "", "stranger")])
    grades: dict[str, int] = {}
    for pair in pairs:
        grades[pair.grade] = grades.get(pair.grade, 0) + 1
    assert grades == {"true": 4, "random": 4, "hard": 3 + 2 + 3, "number": 2, "negated": 1}
    hard = [pair for pair in pairs if pair.grade == "hard" and pair.sentence.startswith("Tides")]
    assert [pair.source for pair in hard] == ["passage 1", "passage 2", "passage 3"]
    assert all(pair.source not in pair.others for pair in pairs)
    assert {pair.strangers for pair in hard} == {
        ("passage 2", "passage 3"),
        ("passage 1", "passage 3"),
        ("passage 1", "passage 2"),
    }
    assert all("passage 0" in pair.others for pair in hard), "the true source is a rival, but of `against-blind`"
    assert {pair.source for pair in pairs if pair.grade == "random"} == {"stranger"}
    from_one = Topic("q", Query("?"), {}, ("Tides move sand along [1]. Dogs find truffles well [4].",))
    shifted = [pair.source for pair in pairs_of(from_one, passages, passages) if pair.grade == "true"]
    assert shifted == ["passage 0", "passage 3"], "numbered from 1"


async def test_what_ships_asks_the_rules_of_all_that_is_cited_then_words_and_cosine() -> None:
    class Embeds:
        model = "test/one"

        async def embed(self, texts: Sequence[str], *, kind: str) -> np.ndarray:
            return np.ones((len(texts), 1), dtype=np.float32)

    judge = METHODS["shipped"](SimpleNamespace(both=Both(Coverage(), Likeness(Embeds()))))  # type: ignore[arg-type]
    said, told, other = (
        "Tides moved sand for 12 years.",
        "Tides moved sand for 12 years, all told.",
        "Tides moved sand for long.",
    )
    true, fellow, lone = await judge.score(
        [Pair(said, told, "true"), Pair(said, other, "true", fellows=(told,)), Pair(said, other, "hard")]
    )
    assert judge.least == LEAST  # type: ignore[attr-defined]
    assert true > fellow > LEAST > lone, "a number that a fellow has is no fault"


async def test_words_tell_swapped_passages(tmp_path: Path) -> None:
    spec = f"scholarqa-multi={answers(tmp_path / 'a')}"
    evaluation = VERIFY.evaluation(EvalOptions(f"{spec}:test", ("length", "coverage", "numbers")))
    results = await evaluate(evaluation, tmp_path / "out")
    length, coverage, numbers = ({n: m.value for n, m in system.metrics.items()} for system in results.systems)
    assert coverage["auroc_random"] == coverage["auroc_hard"] == 1.0
    assert coverage["caught_random"] == 1.0
    assert length["auroc_hard"] < 1.0
    assert numbers["auroc_random"] == 0.5
    assert "auroc_number" not in coverage, "no sentence has a number"
    (system, *_) = VERIFY.evaluation(EvalOptions(f"{spec}:train", ("length",))).systems
    with pytest.raises(BadInput, match="thresholds come from scholarqa-multi=.*:train"):
        system.prepare()
