"""In-process embeddings are those of the plain model: mean pooled, unit norm, whatever else is in the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from litrag.core.budget import Budget, Limits
from litrag.core.errors import BudgetSpent, CapabilityMissing
from litrag.core.protocols import TokenEmbedder
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.models.gateway import Gateway
from litrag.models.litellm_backend import LiteLLMBackend
from litrag.models.local import LocalBackend
from litrag.models.request import ModelRequest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")


@pytest.fixture
def backend() -> LocalBackend:
    return LocalBackend()


async def test_embeddings_are_unit_mean_pooled_and_independent_of_the_batch(
    backend: LocalBackend, tiny_embedder: Path
) -> None:
    import numpy as np
    from transformers import AutoModel, AutoTokenizer

    texts = ("the cat", "retrieval augmented generation cites the papers that it read and more and more", "", "dog")
    reply = await backend.send(ModelRequest("embed", f"local/{tiny_embedder}", "embed", texts=texts))
    model, tokenizer = AutoModel.from_pretrained(tiny_embedder), AutoTokenizer.from_pretrained(tiny_embedder)
    vectors, counted = reply.vectors, 0
    assert vectors is not None
    assert (vectors.shape, vectors.dtype) == ((4, 16), np.float32)
    for text, vector in zip(texts, vectors, strict=True):
        ids = tokenizer(text, truncation=True, max_length=12, padding=False, return_tensors="pt")
        with torch.no_grad():
            mean = model(**ids).last_hidden_state[0].mean(0)
        assert vector == pytest.approx((mean / mean.norm()).numpy(), abs=1e-5)
        counted += ids["input_ids"].shape[1]
    assert reply.usage.prompt_tokens == counted


async def test_no_texts_no_vectors(backend: LocalBackend, tiny_embedder: Path) -> None:
    reply = await backend.send(ModelRequest("embed", f"local/{tiny_embedder}", "embed"))
    assert reply.vectors is not None
    assert len(reply.vectors) == 0


@pytest.mark.models
async def test_minilm_embeds_at_256_tokens_alike_alone_and_in_a_batch() -> None:
    backend = LocalBackend()
    long = "retrieval augmented generation with citations " * 60
    texts = (
        "generating text with retrieved documents",
        long,
        "a recipe for apple pie",
        "documents are retrieved before text is generated",
    )
    request = ModelRequest("embed", "local/sentence-transformers/all-MiniLM-L6-v2", "embed", texts=texts)
    together_, alone = (
        await backend.send(request),
        [await backend.send(replace(request, texts=(text,))) for text in texts],
    )
    assert together_.vectors is not None
    for vector, one in zip(together_.vectors, alone, strict=True):
        assert one.vectors is not None
        assert one.vectors[0] == pytest.approx(vector, abs=1e-5)
    assert alone[1].usage.prompt_tokens == 256
    assert together_.vectors[0] @ together_.vectors[3] > together_.vectors[0] @ together_.vectors[2] + 0.3


async def test_token_vectors_are_the_hidden_states_of_the_words_and_of_nothing_else(
    backend: LocalBackend, tiny_embedder: Path
) -> None:
    """A [CLS] or a padding vector that matched everything would rank long documents first."""
    from transformers import AutoModel, AutoTokenizer

    texts = (
        "the cat",
        "retrieval augmented generation cites the papers that it read and more and more",
        "",
        "dog zebra",
    )
    request = ModelRequest("embed_tokens", f"local/{tiny_embedder}", "embed", texts=texts)
    reply = await backend.send(request)
    model, tokenizer = AutoModel.from_pretrained(tiny_embedder), AutoTokenizer.from_pretrained(tiny_embedder)
    assert reply.vectors is None
    for text, vectors in zip(texts, reply.token_vectors, strict=True):
        ids = tokenizer(text, truncation=True, max_length=12, return_tensors="pt")
        with torch.no_grad():
            states = model(**ids).last_hidden_state[0][1:-1]
        assert vectors.shape == (len(states), 16)
        assert vectors == pytest.approx((states / states.norm(dim=1, keepdim=True)).numpy(), abs=1e-5)
    assert [len(vectors) for vectors in reply.token_vectors[1:3]] == [10, 0], "cut at 12 tokens; no word, no vector"
    assert (await backend.send(replace(request, texts=()))).token_vectors == ()


async def test_token_vectors_take_the_path_of_every_call_and_a_text_goes_out_once(tiny_embedder: Path) -> None:
    gateway = Gateway(Settings(embed_model=f"local/{tiny_embedder}"), cache=RequestCache(":memory:"))
    cat, dog, again = await gateway.embedder(needs=TokenEmbedder).embed_tokens(
        ["the cat", "dog", "the cat"], kind="query"
    )
    assert cat == pytest.approx(again)
    assert len(cat) > len(dog) > 0
    (row,) = gateway.ledger.rows()
    assert (row.operation, row.role, row.status) == ("embed_tokens", "embed", "done")
    assert gateway.cache.counts() == {"replies": 0, "vectors": 0}


async def test_token_vectors_made_here_count_for_their_time_alone(tiny_embedder: Path) -> None:
    settings = Settings(embed_model=f"local/{tiny_embedder}")
    free = Gateway(settings, cache=RequestCache(":memory:"), budget=Budget(Limits(calls=0)))
    assert len(await free.embedder().embed_tokens(["the cat"], kind="query")) == 1
    late = Gateway(settings, cache=RequestCache(":memory:"), budget=Budget(Limits(seconds=0.0)))
    with pytest.raises(BudgetSpent, match="seconds"):
        await late.embedder().embed_tokens(["the cat"], kind="query")


async def test_an_api_model_lacks_token_vectors_and_says_who_has_them() -> None:
    gateway = Gateway(Settings(embed_model="openai/text-embedding-3-small"), cache=RequestCache(":memory:"))
    with pytest.raises(CapabilityMissing, match="cannot give TokenEmbedder; models that can: in-process"):
        gateway.embedder(needs=TokenEmbedder)
    request = ModelRequest("embed_tokens", "openai/text-embedding-3-small", "embed", texts=("a",))
    with pytest.raises(CapabilityMissing, match="local/all-MiniLM-L6-v2"):
        await LiteLLMBackend().send(request)
