from __future__ import annotations

import gzip
import json
import signal
import time
from pathlib import Path

import pytest
from fakes.beir import write_beir
from fakes.shell import Shell, failure

from litrag.core.errors import BadInput
from litrag.evals.coherence import COHERENCE
from litrag.evals.metrics import cutoff
from litrag.evals.results import Results
from litrag.evals.retrieval import RETRIEVAL
from litrag.evals.runner import evaluate
from litrag.evals.tasks import EvalOptions


@pytest.fixture
def litrag(tmp_path: Path, home: Path, no_weights: None) -> Shell:
    return Shell(tmp_path, home)


def test_the_command_measures_prints_and_leaves_its_files(litrag: Shell, tmp_path: Path) -> None:
    write_beir(tmp_path / "forest")
    code, out, err = litrag("eval", "retrieval", "--dataset", "forest", "--measure", "R@10", "--measure", "RR")
    assert code == 0, err
    assert "retrieval, forest:test, 4 topics" in out
    folder = tmp_path / "eval-retrieval-forest"
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "config.json",
        "queries.jsonl",
        "seconds.jsonl",
        "results.json",
        "comparisons.csv",
        "bm25.run",
        "plot.csv",
        "plot.png",
        "plot.svg",
    }
    results = Results.model_validate_json((folder / "results.json").read_text())
    assert results.systems[0].metrics["RR"].value == 1.0
    assert results.systems[0].metrics["R@10"].value == 1.0, "ten papers a field, all of which share its words"

    run = (
        "eval",
        "retrieval",
        "--dataset",
        "forest",
        "--method",
        "bm25",
        "--run",
        str(folder / "bm25.run"),
        "-o",
        "two",
    )
    assert litrag(*run)[0] == 0
    two = json.loads((tmp_path / "two" / "results.json").read_text())
    assert [s["name"] for s in two["systems"]] == ["bm25", "litrag-bm25"]
    assert two["systems"][0]["metrics"] == two["systems"][1]["metrics"], (
        "a run that was read scores as when it was made"
    )
    assert {c["difference"] for c in two["comparisons"]} == {0.0}


def test_bad_options_are_one_line(litrag: Shell, tmp_path: Path) -> None:
    write_beir(tmp_path / "forest")
    assert "no eval named 'retreival'" in failure(litrag("eval", "retreival"), 2)
    assert "no retrieval method named 'bm52'" in failure(
        litrag("eval", "retrieval", "--dataset", "forest", "--method", "bm52"), 2
    )
    assert "no measure 'recall'" in failure(
        litrag("eval", "retrieval", "--dataset", "forest", "--measure", "recall"), 2
    )
    (tmp_path / "other.run").write_text("9 Q0 d 1 1.0 t\n")
    assert "ranks no topic of forest" in failure(
        litrag("eval", "retrieval", "--dataset", "forest", "--run", "other.run"), 2
    )
    assert "no data set named 'woods'" in failure(litrag("eval", "retrieval", "--dataset", "woods"), 2)


def test_runs_of_others_are_taken_as_evaluators_take_them(litrag: Shell, tmp_path: Path) -> None:
    """Called by their tags, which may clash or be no file's name; ties by id; what they lack is told; another content is another eval."""
    write_beir(tmp_path / "forest")
    topics = [row["_id"] for row in map(json.loads, (tmp_path / "forest" / "queries.jsonl").read_text().splitlines())]
    (tmp_path / "a.run").write_text(
        "".join(f"{topic} Q0 d{n} {n} 1.0 my/bm25\n" for topic in topics for n in (1, 2, 3))
    )
    (tmp_path / "b.run").write_text("".join(f"{topics[0]} Q0 d{n} {n} {9 - n} my/bm25\n" for n in (1, 2)))
    command = ("eval", "retrieval", "--dataset", "forest", "--run", "a.run", "--run", "b.run", "--run", "mine=b.run")
    code, out, err = litrag(*command, "-o", "out")
    assert code == 0, err
    names = [system["name"] for system in json.loads((tmp_path / "out" / "results.json").read_text())["systems"]]
    assert names == ["my-bm25", "b", "mine"]
    assert "b (1 of 4 topics)" in out
    lines = (tmp_path / "out" / "my-bm25.run").read_text().splitlines()
    assert [line.split()[2] for line in lines[:3]] == ["d3", "d2", "d1"], "equal scores as trec_eval has them"
    (tmp_path / "b.run").write_text(f"{topics[0]} Q0 d2 1 5 my/bm25\n")
    assert "holds another eval" in failure(litrag(*command, "-o", "out", "--resume"), 2)
    told = failure(litrag("eval", "rerank", "--dataset", "forest", "--run", "a.run"), 2)
    assert "takes no --run: `litrag rerank FILE` reranks one" in told


@pytest.mark.parametrize(
    ("measure", "told"), [("nDCG@0", "a cutoff is at least 1"), ("ERR@10", "cannot be computed here")]
)
def test_a_measure_that_cannot_be_is_told_before_anything_is_searched(
    litrag: Shell, tmp_path: Path, measure: str, told: str
) -> None:
    write_beir(tmp_path / "forest")
    wrong = litrag("eval", "retrieval", "--dataset", "forest", "--measure", measure, "-o", "out")
    if measure == "ERR@10" and wrong[0] == 0:
        pytest.skip("this machine has what ERR needs")
    assert told in failure(wrong, 2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("corpus.jsonl", "{}", "document 1 of the data set has no '_id'"),
        ("corpus.jsonl", '{"_id": "d1"}', "document 1 of the data set has no 'text'"),
        ("queries.jsonl", '{"_id": "q1"}', "query 1 of the data set has no 'text'"),
    ],
)
def test_a_row_that_lacks_something_is_named(litrag: Shell, tmp_path: Path, file: str, line: str, told: str) -> None:
    folder = write_beir(tmp_path / "forest")
    (folder / "corpus.jsonl").write_bytes(gzip.decompress((folder / "corpus.jsonl.gz").read_bytes()))
    (folder / "corpus.jsonl.gz").unlink()
    (folder / file).write_text(f"{line}\n{(folder / file).read_text()}")
    assert told in failure(litrag("eval", "retrieval", "--dataset", "forest"), 2)


@pytest.mark.data
def test_a_killed_command_resumes_to_the_same_file(litrag: Shell, tmp_path: Path, data_dir: Path) -> None:
    command = ("eval", "retrieval", "--dataset", "scifact", "--method", "bm25")
    litrag.env["LITRAG_DATA"] = str(data_dir)
    for folder in ("killed", "again", "once-more"):  # on a busy machine the rest may be done before the signal arrives
        process = litrag.start(*command, "-o", folder)
        journal = tmp_path / folder / "queries.jsonl"
        while (not journal.is_file() or journal.read_bytes().count(b"\n") < 20) and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (before := journal.read_bytes().count(b"\n")) < 300:
            break
    assert 20 <= before < 300, "killed on the way"
    code, out, _ = litrag(*command, "-o", folder, "--resume")
    assert code == 0
    assert litrag(*command, "-o", "whole")[0] == 0
    assert journal.read_bytes() == (tmp_path / "whole" / "queries.jsonl").read_bytes()
    results = json.loads((tmp_path / folder / "results.json").read_text())
    assert results["systems"][0]["metrics"]["nDCG@10"]["value"] >= 0.66
    assert "300 topics" in out


def test_no_measure_reads_deeper_than_the_rankings(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"measure R@500 reads deeper than the rankings, which hold 100 documents"):
        RETRIEVAL.evaluation(EvalOptions("scifact", ("bm25",), measures=("R@100", "R@500", "RR"), k=100))
    assert [cutoff(name) for name in ("R@500", "RR", "nR@7", "nDCG@10", "AP")] == [500, 0, 7, 10, 0]


@pytest.mark.data
async def test_bm25_on_acl_finds_what_it_is_known_to_find(tmp_path: Path, data_dir: Path) -> None:
    evaluation = RETRIEVAL.evaluation(EvalOptions("acl", ("bm25",), measures=("R@100",), k=100))
    results = await evaluate(evaluation, tmp_path / "acl")
    assert results.n == 826
    assert abs(results.systems[0].metrics["R@100"].value - 0.401) <= 0.005


@pytest.mark.data
async def test_groups_cohere_better_than_shuffled_groups(tmp_path: Path, data_dir: Path) -> None:
    """By a measure that the grouping never saw: pairs of one group are cited together by other papers more often."""
    results = await evaluate(COHERENCE.evaluation(EvalOptions("acl", n=80)), tmp_path / "c")
    found = {c.metric: c for c in results.comparisons}
    assert (found["co-cited"].a, found["co-cited"].b) == ("groups", "shuffled")
    for metric in ("cosine", "co-cited"):
        assert found[metric].low > 0
        assert found[metric].p_holm < 0.01
