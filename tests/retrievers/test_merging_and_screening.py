from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from litrag.core.fusion import QueryMismatch, ReciprocalRankFusion
from litrag.core.types import Document, Hit, Paper, Query, Ranking, Score
from litrag.retrievers.merging import merge
from litrag.retrievers.normal_forms import doi
from litrag.retrievers.screening import is_own_paper, screen

A = Paper("a", "Soil Maps of Forests", "We map the soil of forests.", ("Ann Lee",), 2019, doi="10.1/x")


def test_one_paper_of_two_sources_is_merged_field_by_field() -> None:
    twin = Paper("b", "Soil maps", "", ("A. Lee", "B. Kim"), 0, "Soil", doi="10.1/X", url="https://x.org")
    (one,), same = merge([A, twin])
    assert same == {"a": "a", "b": "a"}
    assert (one.id, one.abstract, one.venue, one.url, one.authors) == (
        "a",
        A.abstract,
        "Soil",
        "https://x.org",
        A.authors,
    )


@pytest.mark.parametrize(
    ("other", "merged"),
    [
        (Paper("b", "SOIL maps of forests.", authors=("A. Lee",), year=2020), True),
        (Paper("b", "Soil maps of forests", authors=("A. Kim",), year=2019), False),
        (Paper("b", "Soil maps of forests", authors=("A. Lee",), year=2015), False),
        (Paper("b", "Soil maps of forests", doi="10.1/y"), False),
        (Paper("b", "Soil maps of forests"), True),
        (Paper("b", "Soil maps of rivers", authors=("Ann Lee",), year=2019), False),
    ],
)
def test_equal_titles_are_one_paper_only_if_year_author_and_doi_allow(other: Paper, merged: bool) -> None:
    """An erratum, a thesis and a workshop version share titles; a merged citation to the wrong one is a false citation."""
    assert (len(merge([A, other])[0]) == 1) is merged


def test_versions_of_a_preprint_are_one_paper() -> None:
    one = Paper("a", "First title", arxiv_id="1901.01234")
    assert len(merge([one, Paper("b", "Second title", arxiv_id="1901.01234")])[0]) == 1


def test_a_record_under_an_id_of_semantic_scholar_or_openalex_joins_what_was_merged_before() -> None:
    """A snowball step comes back with `s2:…` and another title; without the id the review cites one paper twice."""
    (one,), _ = merge([replace(A, id="s2:77"), replace(A, id="openalex:W5", abstract=""), replace(A, id="lib")])
    assert (one.id, one.aliases) == ("s2:77", ("openalex:W5",))
    later = [Paper("openalex:W5", "Bodenkarten", "Long. " * 50, ("X. Y",), 1999), one]
    (again,), same = merge(later)
    assert (again.id, again.aliases, again.doi) == ("openalex:W5", ("s2:77",), "10.1/x")
    assert same == {"openalex:W5": "openalex:W5", "s2:77": "openalex:W5"}
    assert screen([again], title="", abstract="", exclude=frozenset({"s2:77"})).kept == ()


def test_a_record_that_was_stored_before_papers_had_aliases_still_loads() -> None:
    """A run that is resumed, a library that was made by an older version."""
    kept = {name: value for name, value in json.loads(TypeAdapter(Paper).dump_json(A)).items() if name != "aliases"}
    assert TypeAdapter(Paper).validate_json(json.dumps(kept)) == A


def test_a_preprint_and_its_article_are_one_paper_under_the_publishers_doi() -> None:
    preprint = Paper("p", "Soil", "We map all of the soil.", doi="10.48550/arXiv.1901.01234", provenance={"doi": "s2"})
    (one,), _ = merge([preprint, Paper("j", "Soil maps", arxiv_id="1901.01234v2", doi="10.1/x")])
    assert (one.id, one.doi, one.arxiv_id) == ("p", "10.1/x", "1901.01234v2")
    assert merge([replace(preprint, id="q")])[0][0].arxiv_id == "1901.01234"


@pytest.mark.parametrize(
    "shared", [{"arxiv_id": "1901.01234"}, {"aliases": ("s2:7",)}, {"title": A.title, "authors": A.authors}]
)
def test_two_dois_stay_two_papers_whatever_else_they_share(shared: dict[str, Any]) -> None:
    """Sources give an erratum the arXiv id of its article; also a third record with both halves may not bridge them."""
    one, other = Paper("1", "One", doi="10.1/x"), Paper("2", "Two", doi="10.2/y")
    bridge = Paper("3", "Three")
    merged, same = merge([replace(paper, **shared) for paper in (one, other, bridge)])
    assert [paper.doi for paper in merged] == ["10.1/x", "10.2/y"]
    assert same["3"] == same["1"] != same["2"]


def test_the_doi_decides_before_the_arxiv_id_and_that_before_the_title() -> None:
    """Whatever comes first in the list: the record with 10.2/y and a wrong arXiv id belongs to 10.2/y."""
    x = Paper("x", "Soil", doi="10.1/x", arxiv_id="1901.01234")
    y = Paper("y", "Rivers", doi="10.2/y")
    wrong = Paper("w", "Soil", doi="10.2/y", arxiv_id="1901.01234")
    bare = Paper("b", "Rivers", arxiv_id="1901.01234v3")
    for order in permutations((x, y, wrong, bare)):
        _, same = merge(order)
        assert same["w"] == same["y"] != same["x"]
        assert same["b"] in (same["x"], same["y"]), "both have its arXiv id: the first of them takes it"
    _, same = merge([y, x, bare])
    assert same["b"] == same["x"] != same["y"]


NUMBERS = st.sampled_from(["", "", "10.1/x", "10.1/X", "10.2/y", "10.48550/arXiv.1901.01234"])
LASTING = ["s2:1", "s2:2", "openalex:W1"]
RECORDS = st.builds(
    Paper,
    id=st.sampled_from([*LASTING, *"abcdef"]),
    title=st.sampled_from(["T", "t.", "U", ""]),
    abstract=st.sampled_from(["", "Short.", "Rather long."]),
    authors=st.sampled_from([(), ("A. Lee",), ("Ann Lee", "B. Kim"), ("C. Roy",)]),
    year=st.sampled_from([0, 2018, 2019, 2021]),
    doi=NUMBERS,
    arxiv_id=st.sampled_from(["", "", "1901.01234", "1901.01234v2", "1902.00001"]),
    published=st.sampled_from([None, date(2019, 3, 1)]),
    aliases=st.sets(st.sampled_from(LASTING), max_size=2).map(lambda names: tuple(sorted(names))),
)


@given(st.lists(RECORDS, max_size=8))
def test_merging_maps_every_paper_to_one_of_the_result_and_again_changes_nothing(papers: list[Paper]) -> None:
    merged, same = merge(papers)
    assert set(same) == {p.id for p in papers}
    assert set(same.values()) == {p.id for p in merged}
    assert len({p.id for p in merged}) == len(merged)
    assert merge(merged)[0] == merged


@given(st.lists(RECORDS, max_size=8, unique_by=lambda paper: paper.id))
def test_no_merged_paper_has_two_dois_and_none_loses_a_lasting_id(papers: list[Paper]) -> None:
    """Two articles under one citation are a false citation; a lost id is a paper cited twice after the next search."""
    merged, same = merge(papers)
    for one in merged:
        members = [paper for paper in papers if same[paper.id] == one.id]
        numbers = {doi(paper.doi) for paper in members} - {"", "10.48550/arxiv.1901.01234"}
        assert len(numbers) <= 1
        assert not numbers or doi(one.doi) in numbers
        held = {name for paper in members for name in (paper.id, *paper.aliases) if name in LASTING}
        assert {one.id, *one.aliases} & set(LASTING) == held
        assert one.id not in one.aliases
        assert bool(one.arxiv_id) == any(paper.arxiv_id or "arXiv" in paper.doi for paper in members)


def test_own_paper_is_known_by_title_with_a_slip_but_not_by_another_edition_number() -> None:
    def own(title: str) -> bool:
        return is_own_paper(
            Paper("x", title), title="Shared Task 2017 on Finding Mushrooms in the Wild Forest at Night", abstract=""
        )

    assert own("shared task 2017 on finding mushrooms in the wild forest at night.")
    assert not own("Shared Task 2018 on Finding Mushrooms in the Wild Forest at Night")
    assert not own("Finding Mushrooms")


def test_own_paper_is_known_by_an_abstract_that_contains_it() -> None:
    words = [f"word{i}" for i in range(60)]
    assert is_own_paper(
        Paper("x", "T", " ".join(words)), title="", abstract=" ".join(["We add", *words[:40], "and end"])
    )
    assert not is_own_paper(Paper("x", "T", " ".join(words)), title="", abstract=" ".join(words[::-1]))
    assert not is_own_paper(
        Paper("x", "T", "We train dogs to find mushrooms by smell."),
        title="",
        abstract="We train dogs to find mushrooms by smell.",
    )


def test_a_year_counts_as_its_last_day_and_the_cut_is_exclusive() -> None:
    papers = [
        Paper("y18", "A", year=2018),
        Paper("y19", "B", year=2019),
        Paper("day", "C", published=date(2018, 12, 31)),
        Paper("none", "D"),
    ]
    cut = screen(papers, title="", abstract="", before=date(2018, 12, 31))
    assert [p.id for p in cut.kept] == ["none"]
    assert cut.warnings == ("1 papers without a date were kept; --strict-dates leaves them out",)
    cut = screen(papers, title="", abstract="", before=date(2019, 1, 1), strict_dates=True)
    assert ([p.id for p in cut.kept], [p.id for p in cut.newer]) == (["y18", "day"], ["y19", "none"])


QUERY = Query("q")


def ranking(source: str, *ids: str) -> Ranking:
    return Ranking(
        QUERY, tuple(Hit(Document(i, i, i), (Score(9.0 - n, source, "q", n + 1),)) for n, i in enumerate(ids))
    )


def test_fusion_sums_reciprocal_ranks_and_keeps_every_raw_score() -> None:
    """Worked by hand from the paper: 1/61 + 1/62 for b, 1/61 for a, 1/62 for c."""
    fused = ReciprocalRankFusion().fuse([ranking("bm25", "a", "b"), ranking("dense", "b", "c")])
    assert fused.ids == ("b", "a", "c")
    b = fused.hits[0]
    assert b.score("rrf").value == pytest.approx(1 / 62 + 1 / 61)
    assert (b.score("bm25").value, b.score("dense").value) == (8.0, 9.0)


def test_equal_sums_keep_the_first_ranking_and_weights_count() -> None:
    assert ReciprocalRankFusion().fuse([ranking("x", "a", "b"), ranking("y", "b", "a")]).ids == ("a", "b")
    assert ReciprocalRankFusion(weights=(1.0, 2.0)).fuse([ranking("x", "a", "b"), ranking("y", "b", "a")]).ids == (
        "b",
        "a",
    )


def test_rankings_of_different_queries_are_not_fused() -> None:
    with pytest.raises(QueryMismatch):
        ReciprocalRankFusion().fuse([ranking("x", "a"), Ranking(Query("other"))])


@given(st.lists(st.permutations(list("abcde")).map(lambda ids: ranking("x", *ids[:3])), min_size=1, max_size=5))
def test_fusion_is_a_ranking_over_the_union_with_falling_scores(rankings: list[Ranking]) -> None:
    fused = ReciprocalRankFusion().fuse(rankings)
    assert set(fused.ids) == {i for r in rankings for i in r.ids}
    values = [hit.score("rrf").value for hit in fused.hits]
    assert values == sorted(values, reverse=True)
