"""Training: recipes over one kit of run folders, exact resume and artefacts that load as model strings. Names are ids of `litrag train`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["RECIPES", "defaults_of"]

RECIPES: Final = {
    "sft": "litrag.training.sft:sft",
    "retriever": "litrag.training.retriever:retriever",
}
# what a recipe means where the user says nothing
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "retriever": {
        "base": "local/all-MiniLM-L6-v2",
        "tuning": "head",
        "learning_rate": 1e-3,
        "max_steps": 60,
        "batch_size": 64,
        "save_every": 20,
    }
}


def defaults_of(recipe: str) -> Mapping[str, Any]:
    """Settings of a recipe that differ from the kit's."""
    return {"base": "local/SmolLM2-135M-Instruct", **_DEFAULTS.get(recipe, {})}
