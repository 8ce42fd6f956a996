"""Training a retriever for queries alone: vectors of documents stay as they are, so an index, once made, keeps its worth.

A head upon the query's vector (or the query encoder itself) is fitted to judgements by the softmax of the positives over every document
that the query may get, date cut included. With fixed vectors that costs one matrix product, so there is no need to sample negatives; hard
ones alone are an option. Full and LoRA tuning change the encoder of queries, the head a linear map after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.sync import run
from litrag.exports.records import Record
from litrag.models.local_loading import load_embedder
from litrag.models.weights import resolve_local
from litrag.training.collection import Collection, Sample
from litrag.training.kit import Built, Job
from litrag.training.selection import consistent, false_negatives, pruned, sufficient
from litrag.training.tuning import lora_config

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

__all__ = ["RetrieverSettings", "retriever"]

_DEPTH: Final = 1000


class RetrieverSettings(Record):
    """The recipe's own settings (--set)."""

    temperature: float = Field(default=0.03, gt=0, description="Of the softmax over cosines.")
    weight_decay: float = Field(default=0.01, ge=0, description="Pulls the head towards doing nothing.")
    hard_negatives: int = Field(
        default=0, ge=0, description="So many of BM25 and dense together; 0: every document is a negative."
    )
    consistency: int = Field(default=0, ge=0, le=_DEPTH, description="A positive counts within this rank; 0: always.")
    margin: float = Field(
        default=0.0, ge=0, le=1, description="Documents so near a positive are no negatives; 0: all are."
    )
    sufficiency: float = Field(default=0.0, ge=0, le=1, description="Share of positives kept by sufficiency; 0: all.")
    scorer: str = Field(default="local/SmolLM2-135M-Instruct", description="Language model that scores sufficiency.")
    prune: float = Field(default=0.0, ge=0, lt=1, description="Share of the easiest positives left out.")
    lexical: bool = Field(default=False, description="LexSemBridge's gate by the words of the query.")
    rewrites: str = Field(
        default="", description="JSON Lines of rewritten queries to learn from, too; the recipe car's."
    )


def retriever(job: Job) -> Built:
    """The recipe. `dataset` is a data set with judgements (NAME:train, a folder). Raises BadInput, UnknownName, ModelFault."""
    from transformers import Trainer

    config, own = job.config, job.config.of(RetrieverSettings)
    base = config.base_model
    if resolve_local(base).kind != "embedding" or resolve_local(base).adapter is not None:
        raise BadInput(f"{base} is no plain embedding model; the recipe retriever starts from one")
    collection = run(Collection.of(config.dataset, base, job.listen, rewrites=own.rewrites))
    held = [sample for sample in collection.samples if sample.place < config.held_out]
    chosen = [sample for sample in collection.samples if sample.place >= config.held_out]
    learned, hard = run(_selected(chosen, collection, own))
    if not learned:
        raise BadInput(f"{config.dataset}: no query is left to learn from; loosen consistency, prune or held_out")
    pairs = sum(len(sample.positives) for sample in learned)
    job.listen(Event("train", f"{len(learned)} queries, {pairs} pairs, {len(collection.index.documents):,} documents"))
    loaded = load_embedder(base, resolve_local(base)) if config.tuning != "head" or own.lexical else None
    tower = _tower(job, loaded, collection, learned, own)
    trainer = Trainer(
        model=tower,
        args=job.arguments(
            remove_unused_columns=False,
            prediction_loss_only=True,
            label_names=["target"],
            weight_decay=own.weight_decay,
            max_grad_norm=1e9,
        ),
        train_dataset=[{"sample": sample, "hard": found} for sample, found in zip(learned, hard, strict=True)],
        eval_dataset=[{"sample": sample, "hard": ()} for sample in held] or None,
        data_collator=_Batches(collection, own, loaded),
    )
    facts = {
        "queries": len(learned),
        "pairs": pairs,
        "held_out": len(held),
        "documents": len(collection.index.documents),
    }
    return Built(
        trainer, _saving(tower, base, config.tuning), None if config.tuning == "full" else base, bool(held), facts
    )


async def _selected(
    samples: Sequence[Sample], collection: Collection, own: RetrieverSettings
) -> tuple[list[Sample], list[Sequence[int]]]:
    """The pairs that are learned, and beside each query its hard negatives."""
    chosen = list(samples)
    if own.consistency:
        chosen = consistent(chosen, await collection.hybrid_ranks(chosen, own.consistency))
    if own.prune:
        chosen = pruned(chosen, collection, own.prune)
    if own.sufficiency and chosen:
        chosen = await sufficient(chosen, collection, own.scorer, own.sufficiency)
    if not own.hard_negatives:
        return chosen, [()] * len(chosen)
    return chosen, list(await collection.hybrid_ranks(chosen, own.hard_negatives))


def _tower(
    job: Job,
    loaded: SentenceTransformer | None,
    collection: Collection,
    samples: Sequence[Sample],
    own: RetrieverSettings,
) -> Any:
    import torch

    from litrag.models.query_head import QueryHead

    config = job.config
    encoder: Any = loaded if config.tuning != "head" else None
    if config.tuning == "lora":
        encoder.add_adapter(lora_config(config, config.base, encoder, task_type="FEATURE_EXTRACTION"))
    elif config.tuning == "full":
        encoder.requires_grad_(True)
    tokens, idf = _known_tokens(loaded, collection, samples) if own.lexical and loaded is not None else (None, None)
    dimensions = collection.index.vectors.shape[1]
    documents = torch.from_numpy(collection.index.vectors)

    class Tower(torch.nn.Module):
        """Queries against fixed documents."""

        documents: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.head = QueryHead(dimensions, mapped=encoder is None, tokens=tokens, idf=idf)
            self.encoder = encoder
            self.register_buffer("documents", documents, persistent=False)

        def forward(
            self, target: torch.Tensor, allowed: torch.Tensor, **query: torch.Tensor
        ) -> dict[str, torch.Tensor]:
            vectors = query["vectors"]
            if self.encoder is not None:
                found = self.encoder({"input_ids": query["input_ids"], "attention_mask": query["attention_mask"]})
                vectors = torch.nn.functional.normalize(found["sentence_embedding"], dim=1)
            scores = self.head.turned(vectors, query) @ self.documents.T / own.temperature
            chances = scores.masked_fill(~allowed, -1e9).log_softmax(dim=1)
            return {"loss": -(target * chances).sum(dim=1).mean()}

    return Tower()


def _known_tokens(
    loaded: SentenceTransformer, collection: Collection, samples: Sequence[Sample]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sorted ids of the tokens in the training's queries, and log(n / df) over the corpus."""
    import torch

    def ids(text: str) -> set[int]:
        return set(loaded.tokenizer(text, truncation=True, max_length=loaded.max_seq_length)["input_ids"])

    known = sorted({token for sample in samples for token in ids(sample.query.text)})
    counts = dict.fromkeys(known, 0)
    for document in collection.index.documents:
        for token in ids(document.text):
            if token in counts:
                counts[token] += 1
    n = len(collection.index.documents)
    return torch.tensor(known), torch.tensor([n / (1 + counts[token]) for token in known]).log().clamp(min=0)


def _saving(tower: Any, base: str, tuning: str) -> Any:
    def save(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if tuning == "full":
            tower.encoder.save(str(folder))
        elif tuning == "lora":
            tower.encoder[0].auto_model.save_pretrained(str(folder))
        if tower.head.map is not None or tower.head.lexical is not None:
            tower.head.save(folder)
        (folder / "litrag.json").write_text(json.dumps({"documents": base}) + "\n", encoding="utf-8")

    return save


@dataclass(frozen=True, slots=True)
class _Batches:
    """Samples as tensors: target (b, n) sums to 1 a row, allowed (b, n), vectors (b, d), and tokens where something reads them."""

    collection: Collection
    own: RetrieverSettings
    reader: Any

    def __call__(self, batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        import numpy as np
        import torch

        samples: list[Sample] = [row["sample"] for row in batch]
        target = np.zeros((len(batch), len(self.collection.index.documents)), dtype=np.float32)
        for row, sample in enumerate(samples):
            target[row, list(sample.positives)] = 1 / len(sample.positives)
        shared = target.any(axis=0)
        allowed = np.stack([self._allowed(row["sample"], row["hard"], shared) for row in batch])
        tensors = {
            "target": torch.from_numpy(target),
            "allowed": torch.from_numpy(allowed | (target > 0)),
            "vectors": torch.from_numpy(np.stack([sample.vector for sample in samples])),
        }
        if self.reader is not None:
            tokens = self.reader.tokenizer(
                [sample.query.text for sample in samples],
                padding=True,
                truncation=True,
                max_length=self.reader.max_seq_length,
                return_tensors="pt",
            )
            tensors |= {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
        return tensors

    def _allowed(self, sample: Sample, hard: Sequence[int], shared: Any) -> Any:
        """What stands against the sample: all that its query may get, or its hard negatives and the positives of its batch."""
        allowed = self.collection.allowed(sample)
        if len(hard):
            near = shared.copy()
            near[list(hard)] = True
            allowed &= near
        if self.own.margin:
            allowed &= ~false_negatives(sample, self.collection, self.own.margin)
        return allowed
