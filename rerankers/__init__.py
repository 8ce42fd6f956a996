"""Rerankers: one small file a method, all permutations of their input. Names are ids of the command line."""

from __future__ import annotations

from typing import Final

__all__ = ["RERANKERS"]

RERANKERS: Final = {
    "insertrank": "litrag.rerankers.insertrank:InsertRank",
    "maxsim": "litrag.rerankers.maxsim:MaxSim",
    "similarity": "litrag.rerankers.similarity:Similarity",
    "none": "litrag.rerankers.similarity:FirstStageOrder",
}
