"""Embeddings on the gateway: cached text by text under the hash of (model, kind, text), sent in batches, unit norm; and vectors of
tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from litrag.core.errors import ModelUnavailable
from litrag.core.ledger import Ledger
from litrag.core.store import RequestCache, digest
from litrag.core.sync import all_or_first_error
from litrag.models.request import Backend, ModelRequest
from litrag.models.tracing import model_call

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["GatewayEmbedder"]


class GatewayEmbedder:
    """`Embedder` and, where the model can, `TokenEmbedder` over a backend. A text is paid for once, ever; `batch` is the number of texts a request."""

    def __init__(
        self,
        blank: Callable[[Literal["query", "document"]], ModelRequest],
        backend: Backend,
        cache: RequestCache,
        ledger: Ledger,
        *,
        batch: int = 64,
    ) -> None:
        self._blank, self._backend, self._cache, self._ledger, self._batch = blank, backend, cache, ledger, batch

    @property
    def model(self) -> str:
        """The model string of queries; it names the score source `dense:<model>`."""
        return self._blank("query").model

    @property
    def documents_model(self) -> str:
        """The model string of documents, which names a folder of vectors; another one where the model was trained for queries alone."""
        return self._blank("document").model

    @property
    def fingerprint(self) -> str:
        """A hash of the weights that documents get; "" for a model of others."""
        return self._blank("document").fingerprint

    async def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> Vectors:
        """(n, d) float32, rows of unit L2 norm, in the order of the texts. Raises ModelFault, BudgetSpent.

        What finished before an error stays in the cache."""
        import numpy as np

        blank = self._blank(kind)
        keys = [digest([blank.model, blank.fingerprint, blank.api_base, kind, text]) for text in texts]
        found = self._cache.vectors(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        wanted = sorted(missing, key=lambda key: (len(missing[key]), key))
        batches = [wanted[start : start + self._batch] for start in range(0, len(wanted), self._batch)]
        for sent in await all_or_first_error([self._send(blank, batch, missing, kind) for batch in batches]):
            found |= sent
        if texts and not missing:
            with model_call(replace(blank, texts=tuple(texts)), cached=True):
                self._ledger.cached(blank.role, blank.model, "embed", keys[0])
        return np.stack([found[key] for key in keys]) if keys else np.zeros((0, 0), dtype=np.float32)

    async def embed_tokens(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> tuple[Vectors, ...]:
        """For each text (tokens, d) float32 of unit rows, by the model of documents whatever the kind: one trained for queries alone was
        trained for one vector a query, not for its tokens. Nothing is cached: an abstract has some 200 vectors, and who needs them again
        keeps them. Raises ModelFault, CapabilityMissing among it, and BudgetSpent."""
        blank = replace(self._blank("document"), operation="embed_tokens", kind=kind)
        wanted = sorted(set(texts), key=lambda text: (len(text), text))
        batches = [wanted[start : start + self._batch] for start in range(0, len(wanted), self._batch)]
        replies = await all_or_first_error([self._backend.send(replace(blank, texts=tuple(b))) for b in batches])
        found: dict[str, Vectors] = {}
        for batch, reply in zip(batches, replies, strict=True):
            if len(reply.token_vectors) != len(batch):
                raise ModelUnavailable(f"{blank.model} gave no vectors of tokens for some of {len(batch)} texts")
            found |= dict(zip(batch, reply.token_vectors, strict=True))
        return tuple(found[text] for text in texts)

    async def _send(
        self, blank: ModelRequest, keys: list[str], texts: dict[str, str], kind: Literal["query", "document"]
    ) -> dict[str, Vectors]:
        import numpy as np

        reply = await self._backend.send(replace(blank, texts=tuple(texts[key] for key in keys), kind=kind))
        vectors = reply.vectors
        if vectors is None or vectors.ndim != 2 or len(vectors) != len(keys):
            raise ModelUnavailable(
                f"{blank.model} gave no vector for some of {len(keys)} texts; is it an embedding model?"
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
        self._cache.keep_vectors(keys, unit)
        return dict(zip(keys, unit, strict=True))
