"""The docs hold what the committed results hold, and these are what `make evals` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from litrag.core.errors import UnknownName
from litrag.evals.__main__ import ROOT, TABLES, documents, rendered
from litrag.evals.plots import draw
from litrag.evals.results import Comparison, Cost, Metric, Results, SystemResult, read_results
from litrag.evals.tables import markdown_table, terminal_table

RESULTS = ROOT / "evals" / "results"
DOCUMENTS = documents()


def toy() -> Results:
    def system(name: str, value: float) -> SystemResult:
        metric = Metric(value=value, low=value - 0.05, high=value + 0.05)
        return SystemResult(name=name, settings={}, metrics={"R@100": metric}, cost=Cost(searches=1, seconds=2))

    gap = {"metric": "R@100", "difference": 0.1, "low": 0.05, "high": 0.15, "p": 0.001}
    return Results(
        task="retrieval",
        dataset="toy",
        n=4,
        seed=0,
        versions={},
        settings={},
        systems=[system("bm25", 0.4), system("dense", 0.5), system("odd", 0.45)],
        comparisons=[
            Comparison(a="dense", b="bm25", p_holm=0.002, **gap),
            Comparison(a="odd", b="bm25", p_holm=0.02, **gap),
            Comparison(a="odd", b="dense", p_holm=0.002, **gap),
        ],
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_tables_of_the_docs_are_those_of_the_results(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert rendered(text, RESULTS) == text, "run `make evals`"


def test_every_table_of_make_evals_is_committed_and_shown() -> None:
    assert {path.stem for path in RESULTS.glob("*.json")} == set(TABLES)
    shown = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    for name, (task, options) in TABLES.items():
        results = read_results(RESULTS / f"{name}.json")
        assert results.task == task
        assert results.dataset.partition(":")[0] == options.dataset.partition(":")[0]
        assert f"<!-- results: {name}" in shown


def test_a_table_marks_what_differs_from_the_first_row() -> None:
    assert markdown_table(toy()).splitlines()[2:5] == [
        "| bm25 | .400 [.350, .450] |",
        "| dense | .500* [.450, .550] |",
        "| odd | .450 [.400, .500] |",
    ]
    lines = terminal_table(toy()).splitlines()
    assert len({len(line) for line in lines[2:5]}) == 1, "columns are aligned"
    assert "Holm" in lines[-1]
    assert "Holm" not in terminal_table(toy().model_copy(update={"systems": toy().systems[:1]}))


def test_a_block_is_rendered_anew_and_other_text_stays(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text(toy().to_json())
    text = "a\n<!-- results: toy R@100 -->\nold\n<!-- end -->\nb\n"
    once = rendered(text, tmp_path)
    assert "| dense | .500*" in once
    assert "old" not in once
    assert once.startswith("a\n<!-- results: toy R@100 -->\n| toy, n = 4 |")
    assert rendered(once, tmp_path) == once


def test_a_figure_within_a_sentence_is_rendered_as_the_tables_print_it(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text(toy().to_json())
    text = "It has <!-- figure: toy dense R@100 -->?<!-- end -->, or <!-- figure: toy odd R@100 interval -->.9<!-- end -->.\n"
    once = rendered(text, tmp_path)
    assert once == text.replace("?", ".500").replace(".9<", ".450 [.400, .500]<")
    assert rendered(once, tmp_path) == once


def test_a_difference_within_a_sentence_is_the_comparisons(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text(toy().to_json())
    text = (
        "It is <!-- difference: toy dense bm25 R@100 -->?<!-- end -->, <!-- difference: toy bm25 odd R@100 interval -->?<!-- end -->, "
        "<!-- difference: toy odd dense R@100 interval p -->?<!-- end -->."
    )
    once = rendered(text, tmp_path)
    assert once.replace("<!-- end -->", "").split("-->")[1:] == [
        "+.100, <!-- difference: toy bm25 odd R@100 interval ",
        "-.100 [-.150, -.050], <!-- difference: toy odd dense R@100 interval p ",
        "+.100 [+.050, +.150], p .002.",
    ]
    assert rendered(once, tmp_path) == once
    with pytest.raises(UnknownName, match="dense sparse R@100"):
        rendered("<!-- difference: toy dense sparse R@100 -->?<!-- end -->", tmp_path)


@pytest.mark.parametrize(("wrong", "there"), [("sparse R@100", "bm25, dense, odd"), ("dense P@1", "R@100")])
def test_a_figure_that_the_results_lack_is_an_error_and_no_number(tmp_path: Path, wrong: str, there: str) -> None:
    (tmp_path / "toy.json").write_text(toy().to_json())
    with pytest.raises(UnknownName, match=f"there is: {there}"):
        rendered(f"<!-- figure: toy {wrong} -->.5<!-- end -->", tmp_path)


def test_a_plot_is_drawn_and_the_same_for_the_same_results(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = draw(toy(), tmp_path), draw(toy(), tmp_path / "b")
    assert [path.name for path in first.files] == ["plot.png", "plot.svg", "plot.csv"]
    assert first.svg.read_bytes() == second.svg.read_bytes()
    assert first.png.read_bytes().startswith(b"\x89PNG")
