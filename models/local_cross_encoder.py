"""A cross-encoder in process, by sentence-transformers: query and document are read together, the score is the raw logit.

A pair is what the tokenizer makes of one (BERT: [CLS] query [SEP] document [SEP]), with a prompt that the configuration names as its
default before the query. A pair longer than the model takes is cut at the document's end, never in the query. Marks that stand in a text
are words. A chat template is not applied."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from litrag.core.errors import PromptTooLong
from litrag.core.protocols import Usage
from litrag.models.local_loading import pair_context
from litrag.models.local_worker import BatchLimits, Row
from litrag.models.request import ModelReply, ModelRequest

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

__all__ = ["CROSS_ENCODER_LIMITS", "CrossEncoderRunner", "PairRow", "pair_features"]

CROSS_ENCODER_LIMITS = BatchLimits(rows=32, tokens=32 * 512)


_PLAIN: Mapping[str, Any] = {"split_special_tokens": True, "verbose": False}


def pair_features(
    tokenizer: Any, query: str, texts: Sequence[str], context: int | None
) -> list[dict[str, Sequence[int]]]:
    """Of the query with each text the model's inputs by name, a value a token; texts are cut to what the context leaves them."""
    cut = {} if context is None else {"truncation": "only_second", "max_length": context}
    found = tokenizer([query] * len(texts), list(texts), padding=False, **_PLAIN, **cut)
    return [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]


@dataclass(slots=True)
class PairRow(Row):
    """One pair. `features` are the model's inputs by name, a value a token; once it is finished `score` is its logit."""

    features: Mapping[str, Sequence[int]] = field(default_factory=dict)
    score: float = 0.0


class CrossEncoderRunner:
    """Implements `Runner` for `relevance`; pairs of like length share a batch. `turn` is held while the model computes."""

    def __init__(
        self, name: str, encoder: CrossEncoder, limits: BatchLimits, turn: contextlib.AbstractContextManager[object]
    ) -> None:
        self._name, self._turn = name, turn
        self._model: Any = encoder.model
        self._tokenizer: Any = encoder.tokenizer
        config = self._model.config
        self._context = pair_context(self._tokenizer, config)
        self._padding = {"input_ids": config.pad_token_id or 0, "token_type_ids": self._tokenizer.pad_token_type_id}
        self._limits = replace(limits, rows=1) if config.pad_token_id is None else limits
        prompts = getattr(encoder, "prompts", None) or {}
        self._prompt = str(prompts.get(getattr(encoder, "default_prompt_name", None)) or "")

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""
        return self._limits

    @property
    def vocabulary(self) -> int:
        """No logits are kept."""
        return 0

    def rows(self, request: ModelRequest) -> Sequence[PairRow]:
        """A row a text. Raises PromptTooLong for a query that leaves no room for a document."""
        if not request.texts:
            return []
        query = self._prompt + request.messages[0].content
        if self._context is not None:
            taken = len(self._tokenizer(query, add_special_tokens=False, **_PLAIN)["input_ids"])
            taken += self._tokenizer.num_special_tokens_to_add(pair=True)
            if taken >= self._context:
                raise PromptTooLong(
                    f"{self._name}: the query leaves no room for a document, it takes {taken} of {self._context} tokens;"
                    " shorten it, or use a model with a longer context"
                )
        features = pair_features(self._tokenizer, query, request.texts, self._context)
        return [PairRow("relevance", len(own["input_ids"]), features=own) for own in features]

    def run(self, rows: Sequence[PairRow], finished: Callable[[PairRow], None]) -> None:
        """Scores pairs."""
        import torch

        width = max(row.length for row in rows)
        device = self._model.device
        batch = {
            name: torch.tensor([self._padded(row.features[name], name, width) for row in rows], device=device)
            for name in rows[0].features
        }
        with self._turn, torch.inference_mode():
            scores = self._model(**batch).logits.float()[:, 0].tolist()
        for row, score in zip(rows, scores, strict=True):
            row.score = score
            finished(row)

    def _padded(self, values: Sequence[int], name: str, width: int) -> list[int]:
        return [*values, *[self._padding.get(name, 0)] * (width - len(values))]

    def reply(self, request: ModelRequest, rows: Sequence[PairRow]) -> ModelReply:
        """A logit a text, in the order of the texts; usage counts the tokens of all pairs, the query in each."""
        return ModelReply(Usage(sum(row.length for row in rows)), relevance=tuple(row.score for row in rows))
