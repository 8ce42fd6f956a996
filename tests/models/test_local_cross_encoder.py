"""A cross-encoder's scores are those of the plain model, whatever else is in the batch; APIs give theirs back in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from litrag.core.errors import CapabilityMissing, ModelUnavailable
from litrag.core.protocols import Generates, PairScoring
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Query, Ranking
from litrag.models import litellm_backend
from litrag.models.gateway import Gateway
from litrag.models.litellm_backend import LiteLLMBackend
from litrag.pipelines.methods import Rerankers

torch = pytest.importorskip("torch")

TEXTS = ("the cat sat on the mat", "retrieval augmented generation cites the papers that it read " * 60, "dog", "")


def gate(model: str, **more: Any) -> Gateway:
    return Gateway(Settings(rerank_model=model, **more), cache=RequestCache(":memory:"))


def plain(folder: Path, query: str, texts: Sequence[str]) -> list[float]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    found = []
    for text in texts:
        inputs = tokenizer(query, text, truncation="only_second", max_length=256, return_tensors="pt")
        with torch.no_grad():
            found.append(float(model(**inputs).logits[0, 0]))
    return found


async def test_scores_are_the_plain_models_and_long_documents_are_cut_at_their_end(tiny_cross_encoder: Path) -> None:
    model = gate(f"local/{tiny_cross_encoder}").resolve("rerank", needs=PairScoring)
    query = "the dog and the cat"
    found = await model.relevance(query, TEXTS)
    assert found == pytest.approx(plain(tiny_cross_encoder, query, TEXTS), abs=1e-4)
    (alone,) = await model.relevance(query, TEXTS[:1])
    assert alone == pytest.approx(found[0], abs=1e-4)
    assert await model.relevance(query, ()) == ()
    assert len(await model.relevance("a query is rewritten " * 90, TEXTS)) == len(TEXTS), "a long query is cut, too"


async def test_it_reranks_and_is_what_auto_means_for_such_a_model(tiny_cross_encoder: Path) -> None:
    gateway = gate(f"local/{tiny_cross_encoder}")
    ranking = Ranking(Query("the cat"), tuple(Hit(Document(str(i), "", text)) for i, text in enumerate(TEXTS[:3])))
    ranked = await Rerankers(gateway).build("auto").rerank(ranking)
    values = [hit.score("cross-encoder").value for hit in ranked.hits]
    assert values == sorted(values, reverse=True)
    assert sorted(ranked.ids) == ["0", "1", "2"]
    again = await Rerankers(gateway).build("cross-encoder").rerank(ranking)
    assert again.ids == ranked.ids
    assert gateway.ledger.totals().calls == 1, "the second came from the cache"


def test_other_kinds_of_models_are_refused_by_name(tiny_cross_encoder: Path, tiny_llama: Path) -> None:
    with pytest.raises(CapabilityMissing, match="PairScoring"):
        gate(f"local/{tiny_llama}").resolve("rerank", needs=PairScoring)
    with pytest.raises(CapabilityMissing, match="Generates"):
        gate(f"local/{tiny_cross_encoder}").resolve("rerank", needs=Generates)
    with pytest.raises(CapabilityMissing, match="Generates"):
        gate("cohere/rerank-v3.5").resolve("rerank", needs=Generates)


async def test_an_apis_scores_come_back_in_the_order_of_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    async def arerank(**options: Any) -> Any:
        asked.update(options)
        rows = [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.5}]
        rows += [{"index": 1, "relevance_score": 0.1}] if options["query"] == "whole" else []
        return SimpleNamespace(results=rows, meta={"tokens": {"input_tokens": 12}})

    fake = SimpleNamespace(
        arerank=arerank,
        get_model_info=lambda model: {"mode": "rerank"},
        validate_environment=lambda model: {"missing_keys": []},
        exceptions=litellm_backend.litellm().exceptions,
    )
    monkeypatch.setattr(litellm_backend, "litellm", lambda: fake)
    gateway = Gateway(
        Settings(rerank_model="cohere/rerank-v3.5"), cache=RequestCache(":memory:"), backend=LiteLLMBackend()
    )
    model = gateway.resolve("rerank", needs=PairScoring)
    assert await model.relevance("whole", ("a", "b", "c")) == (0.5, 0.1, 0.9)
    assert (asked["model"], asked["documents"], asked["top_n"]) == ("cohere/rerank-v3.5", ["a", "b", "c"], 3)
    assert gateway.ledger.totals().prompt_tokens == 12
    with pytest.raises(ModelUnavailable, match="scored 2 of 3"):
        await model.relevance("half", ("a", "b", "c"))
