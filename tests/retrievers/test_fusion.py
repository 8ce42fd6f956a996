"""Rankings of one query become one: by rank, by score, over retrievers, over queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.errors import UnknownName
from litrag.core.fusion import Fusion, NormalisedScoreFusion, QueryMismatch, ReciprocalRankFusion, stage_scores
from litrag.core.types import Document, Filter, Hit, Query, Ranking, Score
from litrag.retrievers.fusion import Hybrid, MultiQuery, MultiQueryFusion
from litrag.rewriters.statistical import StatisticalKeywords

FUSIONS: dict[str, Fusion] = {
    "rrf": ReciprocalRankFusion(),
    "min-max": NormalisedScoreFusion(name="score"),
    "z-score": NormalisedScoreFusion(normalisation="z-score", name="score"),
}


def ranking(source: str, query: str = "q", /, **scores: float) -> Ranking:
    hits = (
        Hit(Document(name, name, name), (Score(value, source, query, rank),))
        for rank, (name, value) in enumerate(scores.items(), start=1)
    )
    return Ranking(Query(query), tuple(hits))


def test_min_max_puts_every_ranking_on_one_scale_and_a_missing_document_at_zero() -> None:
    """By hand: bm25 a 1, b .5, c 0; dense b 1, a 0, c absent."""
    fused = NormalisedScoreFusion(weights=(1.0, 2.0)).fuse(
        [ranking("bm25", a=30.0, b=20.0, c=10.0), ranking("dense", b=0.9, a=0.5)]
    )
    assert [(hit.document.id, hit.score("score-fusion").value) for hit in fused.hits] == [
        ("b", pytest.approx(2.5)),
        ("a", pytest.approx(1.0)),
        ("c", 0.0),
    ]
    assert fused.hits[0].score("bm25").value == 20.0


def test_z_scores_count_deviations_and_a_missing_document_gets_the_least() -> None:
    """By hand: of 3 and 1 the z-scores are 1 and -1; c, which the first ranking lacks, gets -1 there."""
    fused = NormalisedScoreFusion(normalisation="z-score").fuse(
        [ranking("x", a=3.0, b=1.0), ranking("y", c=8.0, a=2.0)]
    )
    assert [(hit.document.id, hit.score("score-fusion").value) for hit in fused.hits] == [
        ("a", pytest.approx(0.0)),
        ("c", pytest.approx(0.0)),
        ("b", pytest.approx(-2.0)),
    ]


def test_equal_scores_say_found_and_nothing_more() -> None:
    """A ranking of one hit must not read as one that lacks it."""
    fused = NormalisedScoreFusion().fuse([ranking("x", a=5.0), ranking("y", b=2.0, a=1.0)])
    assert [hit.score("score-fusion").value for hit in fused.hits] == [1.0, 1.0]
    assert NormalisedScoreFusion(normalisation="z-score").fuse([ranking("x", a=5.0)]).hits[0].scores[-1].value == 0.0


def test_the_score_that_ordered_a_ranking_is_the_one_that_is_fused() -> None:
    """A hybrid ranking still carries the BM25 scores of its hits; fusing those again would undo the hybrid."""
    hybrid = ReciprocalRankFusion().fuse([ranking("bm25", a=99.0, b=98.0), ranking("dense", b=0.9)])
    assert hybrid.ids == ("b", "a")
    assert NormalisedScoreFusion().fuse([hybrid]).ids == ("b", "a")


@pytest.mark.parametrize("name", FUSIONS)
def test_rankings_of_different_queries_are_not_fused(name: str) -> None:
    with pytest.raises(QueryMismatch):
        FUSIONS[name].fuse([ranking("x", a=1.0), ranking("x", "other", a=1.0)])
    with pytest.raises(QueryMismatch):
        FUSIONS[name].fuse([])


@pytest.mark.parametrize("name", FUSIONS)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcde"), st.floats(-1e6, 1e6), max_size=5).map(
            lambda found: ranking("x", **dict(sorted(found.items(), key=lambda item: -item[1])))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_every_fusion_is_a_ranking_over_the_union_with_falling_scores_and_no_score_lost(
    name: str, rankings: list[Ranking]
) -> None:
    fused = FUSIONS[name].fuse(rankings)
    assert set(fused.ids) == {i for r in rankings for i in r.ids}
    values = [hit.scores[-1].value for hit in fused.hits]
    assert values == sorted(values, reverse=True)
    assert [hit.scores[-1].rank for hit in fused.hits] == list(range(1, len(fused.hits) + 1))
    for found in rankings:
        for hit in found.hits:
            assert set(hit.scores) <= set(fused.hits[fused.ids.index(hit.document.id)].scores)
    first = {i: n for n, i in reversed(list(enumerate(i for r in rankings for i in r.ids)))}
    for a, b in zip(fused.hits, fused.hits[1:], strict=False):
        assert a.scores[-1].value > b.scores[-1].value or first[a.document.id] < first[b.document.id]


@dataclass
class Shelf:
    """A retriever over literal rankings by query text; `asked` keeps what it was asked."""

    source: str
    found: dict[str, dict[str, float]]
    asked: list[tuple[tuple[Query, ...], int]] = field(default_factory=list)

    async def retrieve(self, queries: Sequence[Query], k: int) -> tuple[Ranking, ...]:
        self.asked.append((tuple(queries), k))
        cut = [dict(list(self.found[query.text].items())[:k]) for query in queries]
        return tuple(replace(ranking(self.source, q.text, **c), query=q) for q, c in zip(queries, cut, strict=True))


async def test_a_hybrid_finds_the_document_that_is_second_for_both() -> None:
    """Asked for one hit each, the two retrievers would never tell of it."""
    bm25, dense = Shelf("bm25", {"q": {"a": 9.0, "both": 8.9}}), Shelf("dense", {"q": {"b": 0.9, "both": 0.89}})
    (found,) = await Hybrid((bm25, dense), (1.0, 1.0)).retrieve([Query("q")], 1)
    assert found.ids == ("both",)
    assert bm25.asked[0][1] == 100
    assert await Hybrid((bm25, dense)).retrieve([Query("q")], 0) == (Ranking(Query("q")),)


async def test_a_hybrid_takes_a_fusion_by_name_or_as_an_object() -> None:
    shelves = (Shelf("bm25", {"q": {"a": 9.0, "b": 8.0, "c": 0.0}}), Shelf("dense", {"q": {"c": 0.9, "a": 0.1}}))
    by_name = await Hybrid(shelves, (1.0, 1.0), "min-max").retrieve([Query("q")], 3)
    assert by_name == await Hybrid(shelves, fusion=NormalisedScoreFusion()).retrieve([Query("q")], 3)
    assert by_name[0].hits[0].score("score-fusion").value == 1.0
    with pytest.raises(UnknownName, match="no fusion named 'borda'; there is: min-max, rrf, z-score"):
        Hybrid(shelves, fusion="borda")
    with pytest.raises(ValueError, match="1 weights for 2 retrievers"):
        Hybrid(shelves, (1.0,))


def share(hit: Hit) -> dict[str, float]:
    return {score.query: score.value for score in hit.scores if score.source == "multi-query:share"}


def test_every_query_s_share_of_a_document_is_kept() -> None:
    """By hand: a has 2/61 from the query and 1/62 from the derived one, c has all from the derived one."""
    derived = replace(ranking("bm25", "dogs", c=2.0, a=1.0), query=Query("dogs", parent="q"))
    fused = MultiQueryFusion().fuse(Query("q"), [ranking("bm25", a=9.0, b=8.0), derived])
    assert fused.ids == ("a", "b", "c")
    whole = 2 / 61 + 1 / 62
    assert share(fused.hits[0]) == {"q": pytest.approx(2 / 61 / whole), "dogs": pytest.approx(1 / 62 / whole)}
    assert share(fused.hits[2]) == {"dogs": 1.0}
    assert fused.hits[0].score("multi-query:share", query="dogs").rank == 2
    assert fused.hits[0].score("multi-query").value == pytest.approx(whole)
    assert stage_scores(fused)["a"] == pytest.approx(whole), "what is fused or pruned next is the score, not a share"


@given(
    st.lists(st.tuples(st.sampled_from(["q", "d1", "d2"]), st.permutations("abcd")), min_size=1, max_size=6),
    st.floats(0, 5),
)
def test_the_shares_of_a_document_sum_to_one_whoever_found_it(
    found: list[tuple[str, list[str]]], weight: float
) -> None:
    rankings = [
        replace(ranking("x", **dict.fromkeys(ids[:2], 1.0)), query=Query(text, parent=None if text == "q" else "q"))
        for text, ids in found
    ]
    for hit in MultiQueryFusion(derived=weight).fuse(Query("q"), rankings).hits:
        shares = share(hit)
        assert all(0 < value <= 1 for value in shares.values())
        finders = {r.query.text for r in rankings if hit.document.id in r.ids}
        assert set(shares) <= finders
        if weight > 1e-3:
            assert set(shares) == finders
            assert sum(shares.values()) == pytest.approx(1.0)


async def test_multi_query_searches_all_queries_in_one_batch_and_keeps_dates_and_filters() -> None:
    only, cut = Filter(first_year=2001), date(2020, 1, 1)
    shelf = Shelf("bm25", {"q": {"a": 2.0}, "q one": {"b": 1.0}, "r": {}, "r one": {"c": 1.0}})
    retriever = MultiQuery(shelf, lambda query: (query, Query(f"{query.text} one"), Query(f"{query.text} one")))
    found = await retriever.retrieve([Query("q", before=cut, only=only), Query("r")], 10)
    assert [r.ids for r in found] == [("a", "b"), ("c",)]
    assert [r.query.text for r in found] == ["q", "r"]
    ((asked, k),) = shelf.asked
    assert [query.text for query in asked] == ["q", "q one", "r", "r one"]
    assert (asked[1].parent, asked[1].before, asked[1].only, k) == ("q", cut, only, 100)
    assert share(found[0].hits[1]) == {"q one": 1.0}


async def test_a_rewriter_derives_the_queries() -> None:
    text = "We train dogs to find mushrooms by their smell in dense forest."
    queries = await StatisticalKeywords().rewrite(Query(text))
    shelf = Shelf("bm25", {query.text: {query.text[:3]: 1.0} for query in queries})
    (found,) = await MultiQuery(shelf, StatisticalKeywords().rewrite).retrieve([Query(text)], 5)
    assert len(shelf.asked[0][0]) == len(queries) > 1
    assert found.hits
