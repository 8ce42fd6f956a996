from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.types import Document, Query
from litrag.corpora.types import Dataset, Topic, part_of
from litrag.evals.journal import Answer
from litrag.evals.results import read_results
from litrag.evals.runner import Evaluation, System, evaluate


def nothing() -> Iterator[Document]:
    return iter(())


DATASET = Dataset("toy", "all", tuple(Topic(f"t{i}", Query(f"text {i}"), {"d": 1}) for i in range(20)), nothing)


@dataclass
class Counting:
    """Answers slowly for even topics, and fails once at `fail`."""

    fail: str = ""
    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most: int = 0

    async def answer(self, topic: Topic) -> Answer:
        self.asked.append(topic.id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.002 if int(topic.id[1:]) % 2 == 0 else 0)
        self.at_once -= 1
        if topic.id == self.fail:
            raise BadInput("no answer")
        return Answer({"m": int(topic.id[1:]) / 20}, {"searches": 2}, {"ids": [topic.id, "é"]})


def evaluation(*systems: Counting, **settings: int) -> Evaluation:
    rows = tuple(System(f"s{i}", lambda system=system: system, {"i": i}) for i, system in enumerate(systems))
    return Evaluation("toy", DATASET, rows, settings=settings)


async def test_a_killed_eval_goes_on_and_ends_with_the_same_file(tmp_path: Path) -> None:
    told: list[Event] = []
    whole = await evaluate(evaluation(Counting(), Counting()), tmp_path / "whole", listen=told.append)
    assert [event.stage for event in told if event.message == "getting ready"] == ["s0", "s1"]
    compared = list(csv.DictReader((tmp_path / "whole" / "comparisons.csv").read_text().splitlines()))
    assert [(row["a"], row["b"], row["metric"]) for row in compared] == [("s1", "s0", "m")]
    assert (float(compared[0]["difference"]), float(compared[0]["p"])) == (0.0, 1.0)
    broken = Counting(fail="t7")
    with pytest.raises(BadInput, match="no answer"):
        await evaluate(evaluation(Counting(), broken), tmp_path / "resumed")
    lines = (tmp_path / "resumed" / "queries.jsonl").read_bytes()
    assert lines.count(b"\n") == 20 + 7, "what was answered before it, and nothing after it"
    (tmp_path / "resumed" / "queries.jsonl").write_bytes(lines[:-25])  # a kill in the middle of a line
    first, second = Counting(), Counting()
    resumed = await evaluate(evaluation(first, second), tmp_path / "resumed", resume=True)
    assert (first.asked, second.asked) == ([], [f"t{i}" for i in range(6, 20)])
    texts = [(tmp_path / name / "queries.jsonl").read_bytes() for name in ("whole", "resumed")]
    assert texts[0] == texts[1]
    blank = [[s.model_copy(update={"cost": None}) for s in results.systems] for results in (whole, resumed)]
    assert blank[0] == blank[1]
    assert whole.comparisons == resumed.comparisons


async def test_lines_stand_in_order_and_no_more_topics_than_asked_are_in_the_making(tmp_path: Path) -> None:
    system = Counting()
    results = await evaluate(evaluation(system), tmp_path, concurrency=3)
    assert system.most == 3
    rows = [json.loads(line) for line in (tmp_path / "queries.jsonl").read_text().splitlines()]
    assert [row["topic"] for row in rows] == [topic.id for topic in DATASET.topics]
    assert rows[0]["counts"] == {"searches": 2, "calls": 0, "prompt_tokens": 0, "completion_tokens": 0}
    assert results.systems[0].metrics["m"].value == pytest.approx(0.475)
    assert results.systems[0].cost.searches == 2
    assert read_results(tmp_path / "results.json") == results


async def test_another_eval_in_the_folder_is_refused_and_named(tmp_path: Path) -> None:
    await evaluate(evaluation(Counting(), k=1), tmp_path)
    with pytest.raises(BadInput, match="go on with it by --resume"):
        await evaluate(evaluation(Counting(), k=1), tmp_path)
    with pytest.raises(BadInput, match="holds another eval .other settings."):
        await evaluate(evaluation(Counting(), k=2), tmp_path, resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    with pytest.raises(BadInput, match="holds other files"):
        await evaluate(evaluation(Counting()), tmp_path / "other")


async def test_a_damaged_journal_and_results_are_one_line(tmp_path: Path) -> None:
    await evaluate(evaluation(Counting()), tmp_path)
    (tmp_path / "queries.jsonl").write_text("nonsense\n")
    with pytest.raises(BadInput, match="is damaged"):
        await evaluate(evaluation(Counting()), tmp_path, resume=True)
    (tmp_path / "results.json").write_text('{"task": 1}')
    with pytest.raises(BadInput, match="run the eval again"):
        read_results(tmp_path / "results.json")


def test_two_systems_of_one_name_and_no_topic_are_refused() -> None:
    twice = (System("a", Counting), System("a", Counting))
    with pytest.raises(BadInput, match="name each method once"):
        Evaluation("toy", DATASET, twice)
    with pytest.raises(BadInput, match="no topic"):
        Evaluation("toy", Dataset("toy", "all", (), nothing), (System("a", Counting),))


def test_a_smaller_sample_is_part_of_a_larger_one_and_moves_with_the_seed() -> None:
    ids = [{topic.id for topic in DATASET.sample(n, 0).topics} for n in (5, 10, 15)]
    assert [len(names) for names in ids] == [5, 10, 15]
    assert ids[0] < ids[1] < ids[2]
    assert ids[0] != {topic.id for topic in DATASET.sample(5, 1).topics}
    assert DATASET.sample(None, 0) is DATASET is DATASET.sample(20, 0)


@given(st.integers(1, 40), st.integers(0, 3))
def test_types_of_questions_have_their_share_of_a_sample(n: int, seed: int) -> None:
    kinds = ["bridge"] * 30 + ["comparison"] * 8 + ["other"] * 2
    topics = tuple(Topic(f"t{i}", Query(f"q{i}"), {}, facts={"type": kind}) for i, kind in enumerate(kinds))
    whole = Dataset("mixed", "all", topics, lambda: iter(()))
    drawn, more = ({t.id for t in whole.sample(k, seed).topics} for k in (n, n + 3))
    assert len(drawn) == n
    assert drawn <= more
    for kind in set(kinds):
        share = n * kinds.count(kind) / 40
        assert abs(sum(t.facts["type"] == kind for t in topics if t.id in drawn) - share) <= 1


def test_a_split_is_a_matter_of_the_group_alone() -> None:
    parts = [part_of(f"page {i}", (("train", 50), ("test", 50))) for i in range(1000)]
    assert 440 < parts.count("train") < 560
    assert parts == [part_of(f"page {i}", (("train", 50), ("test", 50))) for i in range(1000)]


async def test_a_slow_answer_does_not_hold_up_those_behind_it(tmp_path: Path) -> None:
    """Of two at once one waits for all the others to be done: they go on by the other turn."""
    done = asyncio.Event()
    ended: list[str] = []

    class First:
        async def answer(self, topic: Topic) -> Answer:
            if topic.id == "t0":
                await done.wait()
            ended.append(topic.id)
            if len(ended) == 10:
                done.set()
            return Answer({"m": 0.0}, {}, {})

    toy = Evaluation("toy", DATASET, (System("s", First),))
    results = await asyncio.wait_for(evaluate(toy, tmp_path / "out", concurrency=2), timeout=120)
    assert results.n == 20
    assert ended.index("t0") >= 10
