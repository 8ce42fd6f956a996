"""An embedding model in process, by sentence-transformers: rows of unit L2 norm, float32.

A text is cut at the model's own length (all-MiniLM-L6-v2: 256 tokens), as the model was made to be used. Prompts for
queries and for documents that the model's configuration names are put before the texts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litrag.core.protocols import Usage
from litrag.models.local_worker import BatchLimits, Row
from litrag.models.request import ModelReply, ModelRequest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from litrag.core.protocols import Vectors

__all__ = ["EMBEDDING_LIMITS", "EmbeddingRow", "EmbeddingRunner"]

EMBEDDING_LIMITS = BatchLimits(rows=64, tokens=64 * 512)


@dataclass(slots=True)
class EmbeddingRow(Row):
    """One text; `vector` (d,) once it is finished."""

    text: str = ""
    vector: Vectors | None = None


class EmbeddingRunner:
    """Implements `Runner` for `embed`; texts of like length share a batch. `turn` is held while the model computes."""

    def __init__(
        self, model: SentenceTransformer, limits: BatchLimits, turn: contextlib.AbstractContextManager[object]
    ) -> None:
        self._model: Any = model
        self._limits, self._turn = limits, turn

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""
        return self._limits

    @property
    def vocabulary(self) -> int:
        """No logits are kept."""
        return 0

    def rows(self, request: ModelRequest) -> Sequence[EmbeddingRow]:
        """A row a text."""
        if not request.texts:
            return []
        cut = {"truncation": True, "max_length": self._model.max_seq_length} if self._model.max_seq_length else {}
        ids = self._model.tokenizer(list(request.texts), padding=False, **cut)["input_ids"]
        return [EmbeddingRow(request.kind, len(own), text=text) for own, text in zip(ids, request.texts, strict=True)]

    def run(self, rows: Sequence[EmbeddingRow], finished: Callable[[EmbeddingRow], None]) -> None:
        """Embeds rows of one kind."""
        encode = self._model.encode_query if rows[0].key == "query" else self._model.encode_document
        texts = [row.text for row in rows]
        with self._turn:
            vectors = encode(texts, batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False)
        for row, vector in zip(rows, vectors, strict=True):
            row.vector = vector
            finished(row)

    def reply(self, request: ModelRequest, rows: Sequence[EmbeddingRow]) -> ModelReply:
        """(n, d) float32; usage counts the tokens after the cut, without the configuration's prompts."""
        import numpy as np

        found = [np.asarray(row.vector, dtype=np.float32) for row in rows]
        vectors = np.stack(found) if found else np.zeros((0, 0), dtype=np.float32)
        return ModelReply(Usage(sum(row.length for row in rows)), vectors=vectors)
