"""A cross-encoder in process: query and document go through one encoder together, whose one logit is the score (as it is, no sigmoid).

Pairs of like length share a batch. What is too long is cut at the document's end; a query that fills more than half of the model's length
is cut, too."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from litrag.core.protocols import Usage
from litrag.models.local_embedding import EMBEDDING_LIMITS
from litrag.models.local_worker import BatchLimits, Row
from litrag.models.request import ModelReply, ModelRequest

if TYPE_CHECKING:
    from litrag.models.local_loading import PairModel

__all__ = ["CrossEncoderRow", "CrossEncoderRunner"]


@dataclass(slots=True)
class CrossEncoderRow(Row):
    """One pair as the model takes it; once it is finished `score` is its logit."""

    inputs: dict[str, list[int]] = field(default_factory=dict)
    score: float = 0.0


class CrossEncoderRunner:
    """Implements `Runner` for `relevance`. `turn` is held while the model computes."""

    def __init__(self, loaded: PairModel, turn: contextlib.AbstractContextManager[object]) -> None:
        self._loaded, self._turn = loaded, turn
        self._tokenizer: Any = loaded.tokenizer

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""
        return EMBEDDING_LIMITS

    @property
    def vocabulary(self) -> int:
        """No logits are kept."""
        return 0

    def rows(self, request: ModelRequest) -> Sequence[CrossEncoderRow]:
        """A row a document; the query is the first message."""
        query = self._cut(request.messages[0].content)
        rows = []
        for text in request.texts:
            inputs = self._tokenizer(query, text, truncation="only_second", max_length=self._loaded.context)
            rows.append(CrossEncoderRow("relevance", len(inputs["input_ids"]), inputs=dict(inputs)))
        return rows

    def run(self, rows: Sequence[CrossEncoderRow], finished: Callable[[CrossEncoderRow], None]) -> None:
        """Scores rows."""
        import torch

        batch = self._tokenizer.pad([row.inputs for row in rows], return_tensors="pt").to(self._loaded.device)
        with self._turn, torch.inference_mode():
            logits = self._loaded.model(**batch).logits[:, 0].float().tolist()
        for row, score in zip(rows, logits, strict=True):
            row.score = score
            finished(row)

    def reply(self, request: ModelRequest, rows: Sequence[CrossEncoderRow]) -> ModelReply:
        """A score a document; usage counts the tokens of all pairs."""
        usage = Usage(sum(row.length for row in rows))
        return ModelReply(usage, relevance=tuple(row.score for row in rows))

    def _cut(self, query: str) -> str:
        """The query's beginning, at most half of what the model takes."""
        spans = self._tokenizer(query, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        most = self._loaded.context // 2
        ends = spans["offset_mapping"]
        return query if len(ends) <= most else query[: ends[most - 1][1]]
