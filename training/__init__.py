"""Training: recipes over one kit of run folders, exact resume and artefacts that load as model strings. Names are ids of `litrag train`."""

from __future__ import annotations

from typing import Final

__all__ = ["RECIPES"]

RECIPES: Final = {"sft": "litrag.training.sft:sft"}
