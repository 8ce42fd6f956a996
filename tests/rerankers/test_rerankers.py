from __future__ import annotations

import re

import pytest
from fakes.author import Author

from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.models.gateway import Gateway
from litrag.models.scripted import ScriptedBackend
from litrag.rerankers.insertrank import InsertRank
from litrag.rerankers.maxsim import MaxSim
from litrag.rerankers.similarity import FirstStageOrder, Similarity
from litrag.retrievers.tokens import InMemoryTokens


def ranking(**scores: float) -> Ranking:
    hits = (
        Hit(Document(n, n, f"text of {n}"), (Score(v, "bm25", "q", r),))
        for r, (n, v) in enumerate(scores.items(), start=1)
    )
    return Ranking(Query("find d2"), tuple(hits))


def gateway(backend: object) -> Gateway:
    return Gateway(
        Settings(model="scripted/m", embed_model="scripted/e"), cache=RequestCache(":memory:"), backend=backend
    )  # type: ignore[arg-type]


async def test_insertrank_shows_each_document_its_own_raw_score_and_takes_the_models_order() -> None:
    backend = ScriptedBackend("<ranking>[3] > [1]</ranking>")
    ranked = await InsertRank(gateway(backend).model("rerank")).rerank(ranking(d1=7.1, d2=5.0, d3=2.5))
    prompt = backend.requests[0].messages[0].content
    assert re.findall(r"^\[(\d)\] text of (d\d) \(search score ([\d.]+)\)$", prompt, re.MULTILINE) == [
        ("1", "d1", "7.10"),
        ("2", "d2", "5.00"),
        ("3", "d3", "2.50"),
    ]
    assert ranked.ids == ("d3", "d1", "d2")
    assert [hit.score("bm25").value for hit in ranked.hits] == [2.5, 7.1, 5.0]
    assert [any(s.source == "insertrank" for s in hit.scores) for hit in ranked.hits] == [True, True, False], (
        "d2 was not placed by the model"
    )


async def test_below_the_depth_the_order_is_kept_and_not_shown() -> None:
    backend = ScriptedBackend("[2] > [1]")
    ranked = await InsertRank(gateway(backend).model("rerank")).rerank(ranking(d1=3.0, d2=2.0, d3=1.0), depth=2)
    assert ranked.ids == ("d2", "d1", "d3")
    assert "d3" not in backend.requests[0].messages[0].content.replace("find d2", "")


async def test_similarity_fuses_cosine_and_first_stage() -> None:
    ranked = await Similarity(gateway(Author()).embedder()).rerank(ranking(d1=3.0, d3=2.0, d2=1.0))
    assert ranked.ids[0] == "d2"
    assert ranked.hits[0].score("similarity").rank == 1
    assert ranked.hits[0].score("bm25").value == 1.0


@pytest.mark.parametrize("name", ["insertrank", "similarity", "maxsim", "none"])
@pytest.mark.parametrize("reply", ["", "[9] > [9]", "<think>[1]", "no", "[2]", "[3] > [2] > [1] > [3]"])
async def test_every_reranker_returns_a_permutation_whatever_the_model_replies(name: str, reply: str) -> None:
    gate = gateway(ScriptedBackend(reply))
    built = {
        "insertrank": lambda: InsertRank(gate.model("rerank")),
        "similarity": lambda: Similarity(gateway(Author()).embedder()),
        "maxsim": lambda: MaxSim(embedder=(e := gateway(Author()).embedder()), documents=InMemoryTokens(e)),
        "none": FirstStageOrder,
    }[name]()
    for given in (ranking(), ranking(d1=1.0), ranking(d1=3.0, d2=2.0, d3=1.0)):
        gate.cache.clear()
        if len(given.hits) > 1 or name != "insertrank":
            result = await built.rerank(given)  # type: ignore[attr-defined]
            assert sorted(result.ids) == sorted(given.ids)
            assert result.query == given.query
