from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.errors import BadInput
from litrag.corpora.trec import parse_run, read_qrels, read_run, write_qrels, write_run
from litrag.evals.metrics import measures_of

IDS = st.lists(st.from_regex(r"\A[^\s]{1,8}\Z"), unique=True, min_size=1, max_size=8)


@given(st.dictionaries(st.from_regex(r"\A[a-z0-9]{1,5}\Z"), IDS, min_size=1, max_size=4))
def test_a_run_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, list[str]]
) -> None:
    path = tmp_path_factory.mktemp("run") / "x.run"
    write_run(path, run, "tag")
    assert read_run(path) == ("tag", {topic: tuple(ids) for topic, ids in run.items()})


def test_a_written_run_carries_n_minus_rank_and_a_read_one_goes_by_score(tmp_path: Path) -> None:
    path = tmp_path / "x.run"
    write_run(path, {"1": ["b", "a"]}, "t")
    assert path.read_text() == "1 Q0 b 1 1 t\n1 Q0 a 2 0 t\n"
    path.write_text("1 Q0 low 1 0.5 t\n1 Q0 tie2 3 2.5 t\n1 Q0 tie1 2 2.5 t\n")
    assert read_run(path)[1] == {"1": ("tie1", "tie2", "low")}


def test_a_run_keeps_its_scores() -> None:
    lines = ["1 Q0 b 2 7.5 bm25", "1 Q0 a 1 9 bm25", "2 Q0 c 1 -3 bm25"]
    tag, run = parse_run(lines, "x.run")
    assert (tag, run) == ("bm25", {"1": {"a": 9.0, "b": 7.5}, "2": {"c": -3.0}})
    assert list(run["1"]) == ["a", "b"]


def test_judgements_in_three_and_four_columns(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    write_qrels(path, {"1": {"d": 2, "e": 0}})
    assert read_qrels(path) == {"1": {"d": 2, "e": 0}}
    path.write_text("query-id\tcorpus-id\tscore\n1\td with blank\t2\n")
    assert read_qrels(path) == {"1": {"d with blank": 2}}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 Q0 d 1 1.0\n", "line 1: 5 columns; a run has topic"),
        ("1 Q0 d 1 1.0 t\n1 Q0 d 2 0.5 t\n", "line 2: d stands twice"),
        ("1 Q0 d one 1.0 t\n", "is no number"),
        ("1 Q0 d 1 nan t\n", "score 'nan' is no number"),
        ("", "holds no ranking"),
    ],
)
def test_a_broken_run_names_its_line(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "x.run").write_text(text)
    with pytest.raises(BadInput, match=match):
        read_run(tmp_path / "x.run")


def test_a_run_holds_no_id_with_blanks(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'a b'"):
        write_run(tmp_path / "x.run", {"1": ["a b"]}, "t")
    with pytest.raises(BadInput, match="'1 2'"):
        write_run(tmp_path / "x.run", {"1 2": ["a"]}, "t")


def test_measures_are_those_of_their_definitions() -> None:
    """Ranking n r2 r1 with grades 2 and 1, and one relevant document that is missing."""
    from math import log2

    found = measures_of(["n", "r2", "r1"], {"r2": 2, "r1": 1, "gone": 1, "n": 0}, ("nDCG@10", "R@2", "RR", "AP", "P@2"))
    ideal = 2 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert found["nDCG@10"] == pytest.approx((2 / log2(3) + 1 / log2(4)) / ideal)
    assert found["R@2"] == pytest.approx(1 / 3)
    assert found["RR"] == 0.5
    assert found["AP"] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert measures_of([], {"d": 1}, ("RR",)) == {"RR": 0.0}
    with pytest.raises(BadInput, match="no measure 'nDGC'"):
        measures_of(["d"], {"d": 1}, ("nDGC",))
