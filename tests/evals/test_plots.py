"""Pictures say the same in colour and in grey, and the data behind them lie beside them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from litrag import plot
from litrag.core.errors import BadInput, CannotWrite, UnknownName
from litrag.core.types import Paper, Plan, PlannedParagraph, PlannedSection, PlannedSentence
from litrag.evals.paper_map import draw_map
from litrag.evals.pictures import SERIES, Picture
from litrag.evals.plots import draw_costs, draw_frugality, draw_stages
from litrag.evals.results import Cost, Metric, Results, SystemResult


def system(name: str, *, tokens: float = 0, searches: float = 1, seconds: float = 4, **values: float) -> SystemResult:
    metrics = {metric: Metric(value=v, low=v - 0.05, high=v + 0.05) for metric, v in values.items()}
    cost = Cost(searches=searches, prompt_tokens=tokens, seconds=seconds)
    return SystemResult(name=name, settings={}, metrics=metrics, cost=cost)


def results(*systems: SystemResult, task: str = "rerank") -> Results:
    return Results(
        task=task, dataset="toy", n=4, seed=0, versions={}, settings={}, systems=list(systems), comparisons=[]
    )


def rows(picture: Picture) -> list[dict[str, str]]:
    return list(csv.DictReader(picture.data.read_text(encoding="utf-8").splitlines()))


def texts(picture: Picture) -> str:
    """What is written in a picture: matplotlib puts each text into a comment of the SVG."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", picture.svg.read_text(encoding="utf-8")))


def grey(color: str) -> float:
    """How light a colour prints, 0 to 1."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_no_two_series_share_a_mark_or_a_line_and_none_is_lost_on_white() -> None:
    assert len({look.color for look in SERIES}) == len({look.marker for look in SERIES}) == len(SERIES) == 7
    assert len({str(look.line) for look in SERIES}) == len(SERIES)
    assert max(grey(look.color) for look in SERIES) < 0.75


def test_what_another_program_took_is_not_nothing(tmp_path: Path) -> None:
    foreign = system("theirs", AP=0.9).model_copy(update={"settings": {"run": "theirs.run"}})
    picture = draw_costs(results(system("bm25", AP=0.4), system("judge", AP=0.6, tokens=900), foreign), tmp_path)
    assert [row["system"] for row in rows(picture)] == ["bm25", "judge"]
    assert "(unknown: theirs)" in texts(picture)
    assert [row["system"] for row in rows(draw_costs(results(foreign), tmp_path))] == ["theirs"]


def test_the_cost_of_a_topic_is_what_tells_the_systems_apart(tmp_path: Path) -> None:
    """A reranker costs tokens, an agent searches; what all share is no axis."""
    first = draw_costs(results(system("bm25", AP=0.4), system("judge", AP=0.6, tokens=900)), tmp_path / "a")
    assert rows(first)[1]["tokens, prompt and reply, a topic"] == "900.0"
    second = draw_costs(results(system("one", AP=0.4), system("four", AP=0.6, searches=4)), tmp_path / "b")
    assert [row["searches a topic"] for row in rows(second)] == ["1.0", "4.0"]
    third = draw_costs(results(system("one", AP=0.4), system("slow", AP=0.6, seconds=8)), tmp_path / "c")
    assert [row["seconds a topic"] for row in rows(third)] == ["1.0", "2.0"]
    for picture, unit in ((first, "tokens"), (second, "searches"), (third, "seconds")):
        assert f"{unit}" in texts(picture)
        assert "AP, mean of 4 topics" in texts(picture)
        assert "mathdefault" not in texts(picture), "ticks are numbers"
    assert {"0", "1,000"} <= set(texts(first).splitlines())
    assert {"1", "2", "5"} <= set(texts(third).splitlines())
    for picture in (first, second, third):
        assert picture._repr_png_().startswith(b"\x89PNG")


def test_the_same_results_give_the_same_picture(tmp_path: Path) -> None:
    toy = results(system("bm25", AP=0.4), system("judge", AP=0.6, tokens=900))
    a, b = draw_costs(toy, tmp_path / "a"), draw_costs(toy, tmp_path / "b")
    assert a.svg.read_bytes() == b.svg.read_bytes()
    assert a.data.read_bytes() == b.data.read_bytes()


def test_systems_that_differ_in_a_last_number_are_one_line(tmp_path: Path) -> None:
    def point(name: str, searches: float, recall: float) -> SystemResult:
        return system(name, title_recall=recall, searches=1, documents=searches * 2).model_copy(
            update={
                "metrics": {
                    "title_recall": Metric(value=recall, low=recall, high=recall),
                    "searches": Metric(value=searches, low=searches, high=searches),
                    "documents": Metric(value=2 * searches, low=2 * searches, high=2 * searches),
                }
            }
        )

    toy = results(
        *(point(f"narrow-{n}", n, 0.5 + n / 20) for n in (1, 2, 4)), point("stop-rule", 2.5, 0.6), task="hotpotqa"
    )
    picture = draw_frugality(toy, tmp_path)
    assert [row["kind"] for row in rows(picture)] == ["narrow", "narrow", "narrow", "stop-rule"]
    assert rows(picture)[2]["title_recall value"] == "0.7"
    many = results(*(point(f"way{chr(97 + n)}", n + 1, 0.5) for n in range(12)))
    assert "5 others" in texts(draw_frugality(many, tmp_path / "many"))
    named = texts(draw_frugality(many, tmp_path / "named", named=["wayl"]))
    assert "11 others" in named
    assert "wayl" in named
    with pytest.raises(UnknownName, match="wayz"):
        draw_frugality(many, tmp_path, named=["wayz"])
    with pytest.raises(BadInput, match="no frugality curve"):
        draw_frugality(results(system("bm25", AP=0.4)), tmp_path)


def test_stages_stand_in_the_order_of_a_review(tmp_path: Path) -> None:
    toy = results(
        system("full", recall_cited=0.3, recall_pool=0.9, recall_reranked=0.7),
        system("-dense", recall_cited=0.2, recall_pool=0.8, recall_reranked=0.5),
        task="review",
    )
    found = rows(draw_stages(toy, tmp_path))
    assert [(row["system"], row["stage"]) for row in found[:3]] == [
        (("full"), s) for s in ("found", "reranked", "cited")
    ]
    assert found[3]["system"] == "-dense", "the name as it is"
    with pytest.raises(BadInput, match="results of `review`"):
        draw_stages(results(system("bm25", AP=0.4)), tmp_path)


PAPERS = {
    "lee2018": Paper("1", "Fleas", authors=("Ann Lee",), year=2018),
    "lee2020": Paper("2", "Moths", authors=("Ann Lee",), year=2020),
    "li2020": Paper("3", "雾", authors=("李明",), year=2020),
    "shalom": Paper("4", '=HYPERLINK("x")', authors=("שלום",)),
}


def plan(**groups: tuple[str, ...]) -> Plan:
    paragraphs = (PlannedParagraph(topic, (PlannedSentence("say", keys),)) for topic, keys in groups.items())
    return Plan((PlannedSection("", tuple(paragraphs)),))


def test_a_map_shows_each_paper_once_in_its_group(tmp_path: Path) -> None:
    picture = draw_map(plan(insects=("lee2018", "lee2020"), again=("lee2018", "li2020")), PAPERS, tmp_path)
    assert [(row["key"], row["group"], row["year"]) for row in rows(picture)] == [
        ("lee2018", "insects", "2018"),
        ("lee2020", "insects", "2020"),
        ("li2020", "again", "2020"),
        ("shalom", "in no group of the plan", ""),
    ]
    shown = texts(picture)
    assert {"insects", "again", "Lee", "n. d.", "year of publication"} <= set(shown.splitlines())


def test_groups_without_a_topic_stay_apart(tmp_path: Path) -> None:
    parts = [PlannedParagraph("", (PlannedSentence("", (key,)),)) for key in ("lee2018", "lee2020", "li2020")]
    unnamed = Plan((PlannedSection("", tuple(parts[:2])), PlannedSection("Insects", (parts[2],))))
    groups = {row["key"]: row["group"] for row in rows(draw_map(unnamed, PAPERS, tmp_path))}
    assert groups == {
        "lee2018": "group 1",
        "lee2020": "group 2",
        "li2020": "Insects",
        "shalom": "in no group of the plan",
    }


def test_names_that_the_font_cannot_write_are_keys(tmp_path: Path) -> None:
    """Boxes instead of letters, or Hebrew written backwards, name nobody."""
    shown = texts(draw_map(plan(a=tuple(PAPERS)), PAPERS, tmp_path)).splitlines()
    assert {"li2020", "shalom"} <= set(shown)


def test_a_topic_is_no_formula_and_a_title_no_cell_that_runs(tmp_path: Path) -> None:
    picture = draw_map(plan(**{"cost in $ and $x$": tuple(PAPERS)}), PAPERS, tmp_path)
    assert "cost in $ and $x$" in texts(picture)
    assert rows(picture)[0]["title"] == '\'=HYPERLINK("x")'


@pytest.mark.parametrize("years", [(2020,), (0,), (1901, 2024), (0, 2024)])
def test_a_map_of_any_years_is_drawn(years: tuple[int, ...], tmp_path: Path) -> None:
    papers = {f"k{n}": Paper(str(n), "T", authors=("A. Name",), year=year) for n, year in enumerate(years)}
    picture = draw_map(Plan(), papers, tmp_path)
    assert len(rows(picture)) == len(years)
    with pytest.raises(BadInput, match="no paper to draw"):
        draw_map(Plan(), {}, tmp_path)


def test_what_cannot_be_drawn_is_told_with_the_remedy(tmp_path: Path, home: Path) -> None:
    toy = results(system("bm25", AP=0.4))
    (tmp_path / "file").write_text("x")
    with pytest.raises(CannotWrite, match="file"):
        plot(toy, tmp_path / "file" / "in")
    with pytest.raises(BadInput, match=r"neither results\.json of an eval nor run\.json of a review"):
        plot(tmp_path)
    with pytest.raises(UnknownName, match="run.*no-such"):
        plot("no-such")
    with pytest.raises(BadInput, match="no system"):
        plot(results(), tmp_path)
    (tmp_path / "results.json").write_text(toy.to_json())
    assert set(plot(tmp_path, tmp_path / "out")) == {"plot", "cost"}


def test_results_without_what_a_picture_needs(tmp_path: Path) -> None:
    nothing = results(system("bm25"), system("dense"))
    (tmp_path / "nothing.json").write_text(nothing.model_dump_json())
    with pytest.raises(BadInput, match="nothing to draw"):
        plot(tmp_path / "nothing.json", tmp_path / "a")
    half = results(system("bm25"), system("dense", tokens=3, recall=0.5))
    (tmp_path / "half.json").write_text(half.model_dump_json())
    assert set(plot(tmp_path / "half.json", tmp_path / "b")) == {"plot", "cost"}
    part = results(system("narrow-1", title_recall=0.5), system("narrow-2", title_recall=0.6, searches_of=2))
    (tmp_path / "part.json").write_text(part.model_dump_json())
    assert set(plot(tmp_path / "part.json", tmp_path / "c")) == {"plot", "cost"}, "no curve without its searches"
