"""`litrag search`: every format, every filter, no trace left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.scholarly import scholarly
from fakes.shell import Shell, failure
from fakes.texts import papers, write_library

from litrag.core.types import Filter, Paper
from litrag.corpora.trec import read_run
from litrag.pipelines.searching import find


@pytest.fixture
def litrag(tmp_path: Path, home: Path, no_weights: None) -> Shell:
    write_library(
        tmp_path / "forest.jsonl", [*papers(), Paper("v", "Drones at Sea", "Drones.", (), 2005, "Sea Letters")]
    )
    return Shell(tmp_path, home)


def test_each_format_holds_the_same_papers_in_the_same_order(litrag: Shell, tmp_path: Path, home: Path) -> None:
    command = ("search", "drones in aerial pictures", "-k", "4", "--library", "forest.jsonl")
    code, table, err = litrag(*command)
    assert code == 0, err
    rows = [json.loads(line) for line in litrag(*command, "-f", "jsonl")[1].splitlines()]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert all(row["title"] in table for row in rows)
    assert {score["source"] for row in rows for score in row["scores"]} == {"bm25"}, "one search, nothing fused"
    (tmp_path / "one.run").write_text(litrag(*command, "-f", "trec")[1])
    assert read_run(tmp_path / "one.run")[1] == {"q1": tuple(row["id"] for row in rows)}
    assert litrag(*command, "-f", "bib")[1].count("@inproceedings{") == 4
    whole = json.loads(litrag("--json", *command)[1])
    assert [paper["id"] for paper in whole["papers"]] == [row["id"] for row in rows]
    assert not list(home.glob("runs/*")), "a search is no run"


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (("--year", "2003-2004"), lambda row: row["year"] in (2003, 2004)),
        (("--year", "2003"), lambda row: row["year"] == 2003),
        (("--year", "2009-"), lambda row: row["year"] >= 2009),
        (("--year", "-2002"), lambda row: row["year"] <= 2002),
        (("--before", "2003-12-31"), lambda row: row["year"] <= 2002),
        (("--venue", "sea"), lambda row: row["id"] == "v"),
        (("--from", "forest.jsonl"), lambda row: True),
    ],
)
def test_filters_hold(litrag: Shell, options: tuple[str, ...], holds: object) -> None:
    code, out, err = litrag("search", "drones", "-f", "jsonl", "--library", "forest.jsonl", *options)
    assert code == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows
    assert all(holds(row) for row in rows)  # type: ignore[operator]


def test_a_page_of_a_full_text_is_told(litrag: Shell, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "walk.md").write_text(
        "# A Walk\n\n" + "We went into the woods. " * 80 + "A badger slept there."
    )
    rows = [json.loads(x) for x in litrag("search", "badger", "-f", "jsonl", "--library", "notes")[1].splitlines()]
    assert len(rows) == 1
    assert "badger" in rows[0]["passage"]


def test_nothing_found_and_wrong_options_are_one_line(litrag: Shell) -> None:
    search = ("search", "drones", "--library", "forest.jsonl")
    assert "no paper found in forest" in failure(litrag("search", "zebra", "--library", "forest.jsonl"), 5)
    assert "no paper found" in failure(litrag(*search, "--from", "other.bib"), 5)
    assert "write 2019, 2015-2019" in failure(litrag(*search, "--year", "old"), 2)
    assert "no format named 'pdf'; there is: bib, jsonl, table, trec" in failure(litrag(*search, "-f", "pdf"), 2)
    assert "no reranker named 'best'" in failure(litrag(*search, "--rerank", "best"), 2)


def test_sources_on_the_web_obey_the_filter_and_a_pasted_abstract_finds_its_paper(no_weights: None) -> None:
    with scholarly(papers()) as server:
        options = {"sources": ("openalex",), "source_urls": server.urls(), "source_intervals": {"openalex": 0.0}}
        found = find(papers()[3].text, library=(), only=Filter(first_year=2004), **options)
    assert {paper.year for paper in found.papers} == set(range(2004, 2011))
    assert papers()[3].title in {paper.title for paper in found.papers}, "no own paper is left out here"
