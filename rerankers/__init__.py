"""Rerankers: one small file a method, all permutations of their input. Names are ids of the command line."""

from __future__ import annotations

from typing import Final

__all__ = ["RERANKERS"]

RERANKERS: Final = {
    "cross-encoder": "litrag.rerankers.cross_encoder:CrossEncoder",
    "first": "litrag.rerankers.first_token:First",
    "graded": "litrag.rerankers.first_token:Graded",
    "groupwise": "litrag.rerankers.groupwise:Groupwise",
    "insertrank": "litrag.rerankers.insertrank:InsertRank",
    "maxsim": "litrag.rerankers.maxsim:MaxSim",
    "pairwise": "litrag.rerankers.pairwise:Pairwise",
    "query-likelihood": "litrag.rerankers.query_likelihood:QueryLikelihood",
    "setwise": "litrag.rerankers.setwise:Setwise",
    "similarity": "litrag.rerankers.similarity:Similarity",
    "yes-no": "litrag.rerankers.first_token:YesNo",
    "none": "litrag.rerankers.similarity:FirstStageOrder",
}
