"""Groups of a cross-encoder in training: pairs of query and text, encoded as the model in process encodes them when it ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litrag.core.errors import BadInput
from litrag.models.local_cross_encoder import pair_features
from litrag.models.local_loading import load_classifier, pair_context
from litrag.models.measuring import TokenizerMeasure
from litrag.models.weights import resolve_local
from litrag.rerankers.toolkit import fitted
from litrag.training.config import TrainConfig
from litrag.training.judged import Judged

if TYPE_CHECKING:
    import torch

__all__ = ["PairEncoder", "PairGroup", "PairPadding", "pair_scores"]


@dataclass(frozen=True, slots=True)
class PairGroup:
    """Of each text the model's inputs by name, a value a token; and the targets."""

    features: tuple[Mapping[str, Sequence[int]], ...]
    targets: tuple[float, ...]


class PairEncoder:
    """A cross-encoder to train: one that is, or an encoder of texts that gets a head with one output. Raises BadInput (no encoder; a tuning that is not
    "full"), ModelUnavailable."""

    def __init__(self, config: TrainConfig, tokens: int) -> None:
        base = config.base_model
        place = resolve_local(base)
        if place.kind == "generation" or place.adapter is not None:
            raise BadInput(
                f"{base} is no plain encoder; form pair trains one (forms yes-no, first and likelihood train language models)"
            )
        if config.tuning != "full":
            raise BadInput("form pair trains all weights; add --tuning full, and a learning rate of 1e-5 to 1e-4")
        self.model = base
        self.network, self._tokenizer = load_classifier(base, place)
        self._context = pair_context(self._tokenizer, self.network.config)
        # the artefact's, not the base's: an encoder of single texts may take longer ones
        self.measure = TokenizerMeasure(self._tokenizer, self._context)
        self._tokens = tokens

    @property
    def padding(self) -> PairPadding:
        """What makes a batch of groups."""
        return PairPadding(
            {"input_ids": self.network.config.pad_token_id or 0, "token_type_ids": self._tokenizer.pad_token_type_id}
        )

    @property
    def save(self) -> Callable[[Path], None]:
        """Saves model and tokenizer."""

        def saved(folder: Path) -> None:
            self.network.save_pretrained(folder)
            self._tokenizer.save_pretrained(folder)

        return saved

    def group(self, topic: Judged, places: Sequence[int]) -> PairGroup:
        """The candidates at some places of a topic."""
        query = topic.ranking.query.text
        if self._context is not None:
            query = self.measure.cut(query, self._context // 2)
        hits = [topic.ranking.hits[place] for place in places]
        texts = [text for hit in hits for text in fitted(self, [hit], self._tokens, frame=query)]
        features = tuple(pair_features(self._tokenizer, query, texts, self._context))
        return PairGroup(features, tuple(float(topic.grades[place]) for place in places))


@dataclass(frozen=True, slots=True)
class PairPadding:
    """Groups as one batch: `features` by name (rows, width), padded on the right; `groups` keeps what the loss needs."""

    padding: Mapping[str, int]

    def __call__(self, batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The batch."""
        import torch

        groups: list[PairGroup] = [row["group"] for row in batch]
        rows = [row for group in groups for row in group.features]
        width = max(len(row["input_ids"]) for row in rows)
        features = {
            name: torch.tensor([[*row[name], *[self.padding.get(name, 0)] * (width - len(row[name]))] for row in rows])
            for name in rows[0]
        }
        targets = torch.tensor([target for group in groups for target in group.targets])
        return {"features": features, "targets": targets, "groups": groups}


def pair_scores(model: Any, inputs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The raw logits (n,) of each group's pairs."""
    found = model(**inputs["features"]).logits[:, 0].float()
    return list(found.split([len(group.targets) for group in inputs["groups"]]))
