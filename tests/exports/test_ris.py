"""Files for reference managers, read back by other libraries than those that wrote them, or by litrag's own reader."""

from __future__ import annotations

import json
from pathlib import Path

from fakes.hostile import PAPERS as ANY
from fakes.reviews import PAPERS
from hypothesis import HealthCheck, given, settings
from pybtex.database import parse_string

from litrag.core.types import Paper
from litrag.exports.bibtex import bibliography
from litrag.exports.csl import csl_json
from litrag.exports.ris import references_ris
from litrag.retrievers.sources.ris import ris_records


def test_bibtex_reads_the_same_to_a_second_library() -> None:
    entries = parse_string(bibliography(PAPERS), "bibtex").entries
    assert set(entries) == set(PAPERS)
    first = entries["alvarez2020dogs"]
    assert [" ".join(p.last_names) for p in first.persons["author"]] == [r"\'Alvarez", "Berg", r"{\L}o\'s"]
    assert first.persons["author"][1].prelast_names == ["van", "den"]
    assert first.fields["title"] == r"Dogs \& Drones: 50\% of $x_i$ in the Wald {\textemdash} a {BERT} study"
    assert first.fields["doi"] == "10.1/a_b"
    assert "Who wrote this, and" in entries["anon-a"].fields["key"]
    assert "url" not in entries["anon-a"].fields


@given(ANY)
def test_any_work_gives_an_entry_that_a_second_library_reads(paper: Paper) -> None:
    assert list(parse_string(bibliography({"k": paper}), "bibtex").entries) == ["k"]


def test_ris_reads_back_as_the_same_facts(tmp_path: Path) -> None:
    (tmp_path / "r.ris").write_text(references_ris(PAPERS), encoding="utf-8")
    records = {record["id"]: record for _, record in ris_records(tmp_path / "r.ris", lambda warning: None)}
    assert set(records) == set(PAPERS)
    first = records["alvarez2020dogs"]
    assert first["authors"] == list(PAPERS["alvarez2020dogs"].authors)
    assert (first["year"], first["doi"], first["venue"]) == ("2020", "10.1/a_b", PAPERS["alvarez2020dogs"].venue)
    assert records["kim2019soil"]["url"] == "https://arxiv.org/abs/1901.01234"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paper=ANY)
def test_any_work_is_one_record(tmp_path: Path, paper: Paper) -> None:
    """A title with a line "TY  - JOUR" must not become a second work."""
    warnings: list[str] = []
    (tmp_path / "r.ris").write_text(references_ris({"k": paper}), encoding="utf-8")
    assert [record["id"] for _, record in ris_records(tmp_path / "r.ris", warnings.append)] == ["k"]
    assert warnings == []
    assert [item["id"] for item in json.loads(csl_json({"k": paper}))] == ["k"]


def test_csl_json_takes_names_apart() -> None:
    items = {item["id"]: item for item in json.loads(csl_json(PAPERS))}
    assert items["alvarez2020dogs"]["author"][1] == {
        "family": "Berg",
        "given": "Bart",
        "non-dropping-particle": "van den",
    }
    assert (items["kim2019soil"]["type"], items["kim2019clay"]["type"]) == ("article-journal", "article")
    assert items["kim2019clay"]["number"] == "arXiv:1902.1"
    assert "URL" not in items["anon-a"]
