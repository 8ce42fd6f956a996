"""An embedding model in process, by sentence-transformers: rows of unit L2 norm, float32.

A text is cut at the model's own length (all-MiniLM-L6-v2: 256 tokens), as the model was made to be used. Prompts for
queries and for documents that the model's configuration names are put before the texts.

Vectors of tokens are the last hidden states of the same model, before pooling, each of unit L2 norm. Left out: padding and the marks
around a text ([CLS], [SEP]). A prompt's tokens stay in, they are words to the model."""

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
    """One text; once it is finished `vector` is (d,), or (tokens, d) where tokens were asked for."""

    text: str = ""
    vector: Vectors | None = None
    kind: str = "document"
    tokens: bool = False


class EmbeddingRunner:
    """Implements `Runner` for `embed` and `embed_tokens`; texts of like length share a batch. `turn` is held while the model computes."""

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
        tokens = request.operation == "embed_tokens"
        return [
            EmbeddingRow(f"{request.operation} {request.kind}", len(own), text=text, kind=request.kind, tokens=tokens)
            for own, text in zip(ids, request.texts, strict=True)
        ]

    def run(self, rows: Sequence[EmbeddingRow], finished: Callable[[EmbeddingRow], None]) -> None:
        """Embeds rows of one kind."""
        encode = self._model.encode_query if rows[0].kind == "query" else self._model.encode_document
        options = {"batch_size": len(rows), "show_progress_bar": False}
        texts = [row.text for row in rows]
        with self._turn:
            if rows[0].tokens:
                vectors = [self._words(found) for found in encode(texts, output_value=None, **options)]
            else:
                vectors = encode(texts, normalize_embeddings=True, **options)
        for row, vector in zip(rows, vectors, strict=True):
            row.vector = vector
            finished(row)

    def _words(self, found: Any) -> Vectors:
        """The unit vectors of a text's own tokens, (tokens, d) float32, of what the model gives for one text of a batch."""
        import torch

        tokenizer = self._model.tokenizer
        marks = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
        ids, kept = found["input_ids"], found["attention_mask"].bool()
        for mark in marks:
            if mark is not None:
                kept &= ids != mark
        vectors: Vectors = torch.nn.functional.normalize(found["token_embeddings"][kept].float(), dim=1).cpu().numpy()
        return vectors

    def reply(self, request: ModelRequest, rows: Sequence[EmbeddingRow]) -> ModelReply:
        """(n, d) float32, or an array a text; usage counts the tokens after the cut, without the configuration's prompts."""
        import numpy as np

        usage = Usage(sum(row.length for row in rows))
        found = [np.asarray(row.vector, dtype=np.float32) for row in rows]
        if request.operation == "embed_tokens":
            return ModelReply(usage, token_vectors=tuple(found))
        vectors = np.stack(found) if found else np.zeros((0, 0), dtype=np.float32)
        return ModelReply(usage, vectors=vectors)
