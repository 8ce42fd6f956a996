"""In-process embeddings are those of the plain model: mean pooled, unit norm, whatever else is in the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

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
