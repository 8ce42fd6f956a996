"""A review that snowballs: papers that no search finds come in along citations, and all rules hold for them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from fakes.author import Author
from fakes.scholarly import scholarly
from fakes.shell import Shell, failure
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core.settings import Settings
from litrag.core.types import Paper
from litrag.pipelines.api import make_request
from litrag.pipelines.reading import parse_abstract

HIDDEN = Paper("s-9", "Hunde riechen Pilze", "Ganz andere Wörter.", ("E. Hidden",), 2003)
LATE = Paper("s-8", "Pilze mit Drohnen", "Auch andere Wörter.", ("F. Late",), 2015)


def test_what_a_found_paper_cites_joins_the_pool_unless_it_is_too_new(tmp_path: Path, no_weights: None) -> None:
    with scholarly([*papers(), HIDDEN, LATE]) as server:
        server.cites = {paper.id: ["s-9", "s-8"] for paper in papers()}
        options = {
            "sources": ("semantic-scholar",),
            "source_urls": server.urls(),
            "source_intervals": {"semantic-scholar": 0.0},
            "papers": 100,
            "before": date(2012, 1, 1),
        }
        without = review(f"{TITLE}\n\n{ABSTRACT}", library=(), out=tmp_path / "a", **options)
        grown = review(f"{TITLE}\n\n{ABSTRACT}", library=(), out=tmp_path / "b", snowball=1, **options)
    titles = [
        {item["paper"]["title"] for item in json.loads((r.folder / "evidence.json").read_text())["evidence"]}
        for r in (without, grown)
    ]
    assert titles[1] - titles[0] == {HIDDEN.title}
    rows = json.loads((grown.folder / "run.json").read_text())["ledger"]["rows"]
    assert sum(row["operation"] == "references" for row in rows) == 10, "one request a seed, each in the ledger"


def test_a_citation_file_is_a_graph_over_the_libraries(tmp_path: Path, home: Path, no_weights: None) -> None:
    litrag = Shell(tmp_path, home)
    (tmp_path / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}")
    write_library(tmp_path / "forest.jsonl", [*papers(), HIDDEN])
    lines = [{"id": paper.id, "cites": ["s-9"], "year": paper.year} for paper in papers()]
    (tmp_path / "cites.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ("review", "abstract.txt", "--library", "forest.jsonl", "--papers", "41", "--snowball", "1", "-o", "out")
    code, _, err = litrag(*command, "--snowball-graph", "cites.jsonl")
    assert code == 0, err
    assert "1 more papers (dry)" in err, "it shares no word with the text"
    assert HIDDEN.title in (tmp_path / "out" / "review.md").read_text()
    ledger = json.loads((tmp_path / "out" / "run.json").read_text())["ledger"]
    assert ledger["calls"] == 0, "a request to a graph is a search and no call of a model"
    wrong = litrag(*command[:-1], "other", "--snowball-graph", "gone.jsonl")
    assert "gone.jsonl: no such file" in failure(wrong, 2)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_review_whose_model_calls_are_spent_while_it_snowballs_still_ends(calls: int, tmp_path: Path) -> None:
    library = write_library(tmp_path / "forest.jsonl")
    lines = [{"id": paper.id, "cites": ["0-1", "2-2"], "year": paper.year} for paper in papers()]
    (tmp_path / "cites.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = review(
        f"{TITLE}\n\n{ABSTRACT}",
        library=library,
        out=tmp_path / "out",
        backend=Author(),
        model="scripted/m",
        embed_model="scripted/e",
        embed_at_once=0,
        papers=5,
        max_calls=calls,
        snowball=1,
        snowball_graph=str(tmp_path / "cites.jsonl"),
    )
    assert result.stop_reason.startswith("budget: calls")
    assert result.papers > 0


def test_the_own_paper_that_a_found_paper_cites_is_not_followed(tmp_path: Path, no_weights: None) -> None:
    own = Paper("own", TITLE, ABSTRACT, ("My Self",), 2005)
    library = write_library(tmp_path / "forest.jsonl", [*papers(), HIDDEN, own])
    lines = [{"id": paper.id, "cites": ["own"], "year": paper.year} for paper in papers()]
    lines.append({"id": "own", "cites": ["s-9"], "year": 2005})
    (tmp_path / "cites.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = review(
        f"{TITLE}\n\n{ABSTRACT}",
        library=library,
        out=tmp_path / "out",
        papers=100,
        snowball=2,
        snowball_graph=str(tmp_path / "cites.jsonl"),
    )
    assert HIDDEN.title not in result.text
    assert result.stop_reason == "done"


def test_a_citation_file_is_found_again_when_the_run_is_resumed_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cites.jsonl").write_text("")
    for name, kept in (("cites.jsonl", str(tmp_path / "cites.jsonl")), ("openalex", "openalex")):
        request = make_request(parse_abstract(ABSTRACT, name="a"), Settings(snowball_graph=name))
        assert request.settings["snowball_graph"] == kept


@pytest.mark.parametrize("most", [1, 4, 6])
def test_the_searches_of_a_run_hold_for_its_snowball(most: int, tmp_path: Path, no_weights: None) -> None:
    library = write_library(tmp_path / "forest.jsonl")
    lines = [{"id": paper.id, "cites": ["0-1"], "year": paper.year} for paper in papers()]
    (tmp_path / "cites.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = review(
        f"{TITLE}\n\n{ABSTRACT}",
        library=library,
        out=tmp_path / "out",
        snowball=2,
        snowball_graph=str(tmp_path / "cites.jsonl"),
        max_searches=most,
    )
    rows = json.loads((result.folder / "run.json").read_text())["ledger"]["rows"]
    assert sum(row["operation"] in ("search", "references") for row in rows) <= most
    assert "searches" in result.stop_reason
    assert result.papers > 0
