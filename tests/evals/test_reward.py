"""`litrag eval reward`: a reward that knows the ranks agrees always, one that has them upside down never, a coin's worth where it knows nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes.talks import write_talks

from litrag.core.errors import UnknownName
from litrag.core.types import Query
from litrag.corpora import load
from litrag.evals import reward
from litrag.evals.results import Results
from litrag.evals.reward import METHODS, REWARD
from litrag.evals.rewrite_bench import RewriteBench
from litrag.evals.runner import evaluate
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import SEEDS


@pytest.fixture
def spec(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Trainings that sampled the human rewrite, words of nothing, and the question as it was."""
    body = f"canard-windows={write_talks(tmp_path / 'talks', ('bay', 'forest', 'delta', 'ridge', 'moor', 'fen'))}"
    topics = load(f"{body}:train").topics

    def trained(self: RewriteBench, settings: Mapping[str, Any]) -> tuple[str, Path]:
        folder = tmp_path / f"run-{settings['seed']}"
        folder.mkdir(exist_ok=True)
        rows = [{"id": t.id, "texts": [str(t.facts["rewrite"]), "xylophone", t.query.text]} for t in topics]
        (folder / "candidates.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return "scripted/m", folder

    monkeypatch.setattr(RewriteBench, "trained", trained)
    return f"{body}:test"


class Judge:
    """A reward of rewrites by a function of their relevant passages' reciprocal ranks, which it looks up by the rewrites."""

    def __init__(self, known: Mapping[tuple[str, ...], Sequence[float]], value: Callable[[float], float]) -> None:
        self.known, self.value = known, value

    async def of(self, query: Query, texts: Sequence[str], answer: str) -> tuple[float, ...]:
        assert answer
        return tuple(self.value(rank) for rank in self.known[tuple(texts)])


@pytest.mark.parametrize(
    ("value", "agreement"), [(lambda rank: rank, 1.0), (lambda rank: -rank, 0.0), (lambda rank: 0.0, 0.5)]
)
async def test_agreement_is_by_pairs(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Callable[[float], float], agreement: float
) -> None:
    evaluation = REWARD.evaluation(EvalOptions(spec, ("marginal",)))
    known = {tuple(t.facts["texts"]): t.facts["ranks"] for t in evaluation.dataset.topics}
    monkeypatch.setattr(reward._Bench, "reward", lambda self, settings, tally: Judge(known, value))
    results: Results = await evaluate(evaluation, tmp_path / "out")
    (found,) = results.systems
    assert found.metrics["agreement"].value == agreement
    best = max if agreement == 1.0 else min
    if agreement != 0.5:
        assert found.metrics["RR_best"].value == pytest.approx(
            sum(map(best, (t.facts["ranks"] for t in evaluation.dataset.topics))) / len(evaluation.dataset.topics)
        )


async def test_only_turns_with_something_to_tell_apart_and_all_seeds(spec: str, tmp_path: Path) -> None:
    evaluation = REWARD.evaluation(EvalOptions(spec, ("retrieval",)))
    assert all(len(set(topic.facts["ranks"])) > 1 for topic in evaluation.dataset.topics)
    assert {topic.id.rpartition("/")[2] for topic in evaluation.dataset.topics} == set(map(str, SEEDS))
    train = {topic.id for topic in load(spec.replace(":test", ":train")).topics}
    assert {topic.id.rpartition("/")[0] for topic in evaluation.dataset.topics} <= train


def test_every_row_is_a_setting_of_the_reward(spec: str) -> None:
    from litrag.models.counting import Tally

    bench = reward._Bench(RewriteBench(load(spec), (), EvalOptions(spec)))
    for name, settings in METHODS.items():
        made = bench.reward(settings, Tally()) if name != "retrieval" else None
        assert made is None or all(getattr(made, field) == told for field, told in settings.items())
    with pytest.raises(UnknownName, match="no form of the reward named 'best'"):
        REWARD.evaluation(EvalOptions(spec, ("best",)))
