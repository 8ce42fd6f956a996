from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.fusion import QueryMismatch, ReciprocalRankFusion
from litrag.core.types import Document, Hit, Paper, Query, Ranking, Score
from litrag.retrievers.merging import merge
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


@given(
    st.lists(
        st.sampled_from(
            [
                A,
                replace(A, id="b"),
                Paper("c", "T"),
                Paper("d", "T", arxiv_id="1901.01234"),
                Paper("e", "U", arxiv_id="1901.01234"),
            ]
        )
    )
)
def test_merging_maps_every_paper_to_one_of_the_result_and_again_changes_nothing(papers: list[Paper]) -> None:
    merged, same = merge(papers)
    assert set(same) == {p.id for p in papers}
    assert set(same.values()) == {p.id for p in merged}
    assert len({p.id for p in merged}) == len(merged)
    assert merge(merged)[0] == merged


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
