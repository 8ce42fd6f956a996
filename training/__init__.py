"""Training: recipes over one kit of run folders, exact resume and artefacts that load as model strings. Names are ids of `litrag train`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["RECIPES", "SETTINGS", "defaults_of"]

RECIPES: Final = {
    "sft": "litrag.training.sft:sft",
    "adaqr": "litrag.training.adaqr:adaqr",
    "car": "litrag.training.car:car",
    "frugal": "litrag.training.frugal:frugal",
    "explore": "litrag.training.explore:explore",
    "frugal-grpo": "litrag.training.grpo:frugal_grpo",
    "dpo": "litrag.training.preferences:dpo",
    "retriever": "litrag.training.retriever:retriever",
    "reranker": "litrag.training.reranker:reranker",
}
# recipe -> the record of its own settings (--set)
SETTINGS: Final = {
    "sft": "litrag.training.sft:SftSettings",
    "adaqr": "litrag.training.adaqr:AdaqrSettings",
    "car": "litrag.training.car:CarSettings",
    "frugal": "litrag.training.frugal:FrugalSettings",
    "explore": "litrag.training.explore:ExploreSettings",
    "frugal-grpo": "litrag.training.grpo:GrpoSettings",
    "dpo": "litrag.training.preferences:DpoSettings",
    "retriever": "litrag.training.retriever:RetrieverSettings",
    "reranker": "litrag.training.reranker:RerankerSettings",
}
_RETRIEVER: Final[dict[str, Any]] = {
    "base": "local/all-MiniLM-L6-v2",
    "tuning": "head",
    "learning_rate": 1e-3,
    "max_steps": 60,
    "batch_size": 64,
    "save_every": 20,
}
# what a recipe means where the user says nothing
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "retriever": _RETRIEVER,
    "car": _RETRIEVER,
    "adaqr": {"learning_rate": 1e-4, "max_steps": 100, "batch_size": 4, "warmup_steps": 10, "held_out": 0.0},
    "explore": {
        "learning_rate": 1e-3,
        "batch_size": 8,
        "max_length": 3000,
        "warmup_steps": 20,
    },  # FrugalRAG: full weights, 2e-5, at 7B
    "frugal-grpo": {
        "learning_rate": 1e-5,
        "max_steps": 100,
        "batch_size": 8,
        "held_out": 0.0,
    },  # FrugalRAG: 1e-6, 400 steps of 48
    "dpo": {"learning_rate": 1e-4, "max_steps": 100, "batch_size": 4, "warmup_steps": 10},  # AdaQR: 1e-5 at 7B
    "reranker": {
        "learning_rate": 3e-4,
        "batch_size": 8,
        "max_steps": 120,
        "warmup_steps": 10,
        "save_every": 60,
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_targets": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    },
}


def defaults_of(recipe: str) -> Mapping[str, Any]:
    """Settings of a recipe that differ from the kit's."""
    return {"base": "local/SmolLM2-135M-Instruct", **_DEFAULTS.get(recipe, {})}
