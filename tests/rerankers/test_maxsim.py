"""MaxSim reranks exactly, or, told to, scores fewer candidates; what it did not score keeps its place below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from fakes.author import Author
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.protocols import TokenEmbedder
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.models.gateway import Gateway
from litrag.rerankers.maxsim import MaxSim
from litrag.retrievers.tokens import InMemoryTokens, TokenStore


class Known:
    """A query of one token, and documents whose MaxSim is told: `scores` by document id; `asked` keeps who was asked for."""

    def __init__(self, **scores: float) -> None:
        self.known, self.asked = scores, list[list[str]]()

    async def embed_tokens(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> tuple[Any, ...]:
        return tuple(np.ones((len(text.split()), 1), dtype=np.float32) for text in texts)

    async def scores(self, query: Any, documents: Sequence[Document]) -> tuple[float, ...]:
        self.asked.append([document.id for document in documents])
        return tuple(self.known[document.id] for document in documents)


def ranking(**scores: float) -> Ranking:
    hits = (
        Hit(Document(n, n, n), (Score(99.0, "bm25", "q", 1), Score(value, "rrf", "q", rank)))
        for rank, (n, value) in enumerate(scores.items(), start=1)
    )
    return Ranking(Query("q"), tuple(hits))


def reranker(known: Known, **options: Any) -> MaxSim:
    return MaxSim(embedder=known, documents=known, **options)


async def test_the_order_is_that_of_the_scores_and_all_others_are_kept() -> None:
    known = Known(a=0.1, b=0.9, c=0.9, d=0.5)
    ranked = await reranker(known).rerank_counted(ranking(a=4.0, b=3.0, c=2.0, d=1.0))
    assert ranked.ranking.ids == ("b", "c", "d", "a"), "equal ones in first-stage order"
    assert (ranked.scored, ranked.pruned) == (4, 0)
    best = ranked.ranking.hits[0]
    assert (best.score("maxsim").value, best.score("maxsim").rank, best.score("rrf").value) == (0.9, 1, 3.0)


async def test_below_the_depth_the_order_is_kept_and_nobody_asked() -> None:
    known = Known(a=0.1, b=0.9)
    ranked = await reranker(known).rerank(ranking(a=4.0, b=3.0, c=2.0, d=1.0), depth=2)
    assert ranked.ids == ("b", "a", "c", "d")
    assert known.asked == [["a", "b"]]


async def test_candidates_far_below_the_best_of_the_first_stage_are_pruned() -> None:
    """The share is of the score that ordered the input (rrf), not of the first one on the hit (bm25)."""
    known = Known(a=0.1, b=0.9)
    ranked = await reranker(known, alpha=0.5).rerank_counted(ranking(a=4.0, b=2.0, c=1.9, d=0.5))
    assert ranked.ranking.ids == ("b", "a", "c", "d")
    assert (ranked.scored, ranked.pruned, known.asked) == (2, 2, [["a", "b"]])


async def test_a_first_stage_without_positive_scores_prunes_nobody() -> None:
    """Half of a negative log-probability is a better one: the rule would drop the best."""
    known = Known(a=0.1, b=0.9, c=0.3)
    ranked = await reranker(known, alpha=0.5).rerank_counted(ranking(a=-1.0, b=-2.0, c=-9.0))
    assert (ranked.ranking.ids, ranked.pruned) == (("b", "c", "a"), 0)


async def test_the_walk_ends_when_the_best_have_not_changed_for_a_while() -> None:
    """d and e do not enter the best two: after them the walk ends, and f, g are not scored."""
    known = Known(a=0.1, b=0.9, c=0.8, d=0.2, e=0.3, f=1.0, g=1.0)
    first = ranking(a=7.0, b=6.0, c=5.0, d=4.0, e=3.0, f=2.0, g=1.0)
    ranked = await reranker(known, k=2, patience=2, chunk=1).rerank_counted(first)
    assert ranked.ranking.ids == ("b", "c", "e", "d", "a", "f", "g")
    assert ranked.scored == 5
    whole = await reranker(known, k=2, patience=2, chunk=4).rerank_counted(first)
    assert whole.scored == 7, "what shares a chunk with others is scored with them"


async def test_a_good_first_stage_needs_few_scores_for_the_same_best() -> None:
    """The promise of pruning and early exit: the top of the exact order, for less."""
    first = {f"d{i}": 10.0 - i / 10 for i in range(100)}
    dice = np.random.default_rng(3)
    known = Known(**{name: value + dice.normal(0, 0.2) for name, value in first.items()})
    exact = await reranker(known).rerank_counted(ranking(**first))
    quick = await reranker(known, k=10, alpha=0.5, patience=16).rerank_counted(ranking(**first))
    assert quick.ranking.ids[:10] == exact.ranking.ids[:10]
    assert exact.scored == 100
    assert quick.scored <= 48
    assert quick.pruned > 0


async def test_the_first_stage_can_have_a_say() -> None:
    """By hand: min-max of the first stage 1, .5, 0; of MaxSim 0, 1, .5; halves of each."""
    known = Known(a=0.0, b=1.0, c=0.5)
    ranked = await reranker(known, first_stage_weight=0.5).rerank(ranking(a=3.0, b=2.0, c=1.0))
    assert [(h.document.id, h.score("maxsim-fused").value) for h in ranked.hits] == [
        ("b", 0.75),
        ("a", 0.5),
        ("c", 0.25),
    ]
    assert (await reranker(known, first_stage_weight=1.0).rerank(ranking(a=3.0, b=2.0, c=1.0))).ids == ("a", "b", "c")


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), max_size=12),
    st.fixed_dictionaries(
        {
            "alpha": st.floats(0, 1),
            "patience": st.none() | st.integers(1, 4),
            "k": st.integers(1, 4),
            "chunk": st.integers(1, 5),
            "first_stage_weight": st.floats(0, 1),
        }
    ),
    st.none() | st.integers(0, 14),
)
async def test_whatever_it_is_told_it_gives_a_permutation(
    pairs: list[tuple[float, float]], options: dict[str, Any], depth: int | None
) -> None:
    first = ranking(**{f"d{i}": a for i, (a, _) in enumerate(sorted(pairs, reverse=True))})
    known = Known(**{f"d{i}": b for i, (_, b) in enumerate(sorted(pairs, reverse=True))})
    ranked = await reranker(known, **options).rerank_counted(first, depth=depth)
    assert sorted(ranked.ranking.ids) == sorted(first.ids)
    if depth is not None:
        assert ranked.ranking.ids[depth:] == first.ids[depth:]
    scored = [any(s.source == "maxsim" for s in hit.scores) for hit in ranked.ranking.hits]
    assert scored == sorted(scored, reverse=True)
    assert sum(scored) == ranked.scored
    left = [i for i, done in zip(ranked.ranking.ids, scored, strict=True) if not done]
    assert left == [i for i in first.ids if i in left]


@pytest.mark.parametrize(
    "options", [{"alpha": 1.1}, {"first_stage_weight": -0.1}, {"k": 0}, {"chunk": 0}, {"patience": 0}]
)
def test_numbers_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        reranker(Known(), **options)


async def test_a_query_without_a_word_changes_nothing() -> None:
    first = Ranking(Query(" "), ranking(a=2.0, b=1.0).hits)
    assert await reranker(Known(a=0.0, b=1.0)).rerank(first) == first


async def test_a_shared_word_brings_a_document_up_through_the_gateway() -> None:
    gateway = Gateway(Settings(embed_model="scripted/e"), cache=RequestCache(":memory:"), backend=Author())
    embedder = gateway.embedder(needs=TokenEmbedder)
    hits = [
        Hit(Document(n, n, t), (Score(1.0, "bm25", "q", 1),)) for n, t in (("a", "soil maps"), ("b", "find mushrooms"))
    ]
    found = Ranking(Query("mushrooms"), tuple(hits))
    ranked = await MaxSim(embedder=embedder, documents=InMemoryTokens(embedder)).rerank(found)
    assert ranked.ids == ("b", "a")
    assert ranked.hits[0].score("maxsim").value == pytest.approx(1.0, abs=1e-3)
    assert {row.operation for row in gateway.ledger.rows()} == {"embed_tokens"}


async def test_the_local_embedder_s_own_token_vectors_kept_on_disk_rank_as_brute_force_does(
    tiny_embedder: Path, tmp_path: Path
) -> None:
    """End to end: tokens of the model in process, kept in float16, scored by the engine; against float32 and two loops."""
    gateway = Gateway(Settings(embed_model=f"local/{tiny_embedder}"), cache=RequestCache(":memory:"))
    embedder = gateway.embedder(needs=TokenEmbedder)
    texts = ["the cat sat on the mat", "the dog", "a query is rewritten", "the papers that it read", "log", ""]
    found = Ranking(Query("the cat and the papers"), tuple(Hit(Document(str(i), "", t)) for i, t in enumerate(texts)))
    store = TokenStore(tmp_path / "tokens", embedder)
    ranked = await MaxSim(embedder=embedder, documents=store).rerank(found)
    store.close()
    (query,) = await embedder.embed_tokens([found.query.text], kind="query")
    brute = {
        str(i): sum(max((float(q @ w) for w in words), default=0.0) for q in query)
        for i, words in enumerate(await embedder.embed_tokens(texts, kind="document"))
    }
    assert list(ranked.ids) == sorted(brute, key=lambda name: -brute[name])
    for hit in ranked.hits:
        assert hit.score("maxsim").value == pytest.approx(brute[hit.document.id], abs=5e-3)
