"""Evals: what litrag claims, measured, with the controls that would show it did nothing. Names are ids of `litrag eval`."""

from __future__ import annotations

from typing import Final

__all__ = ["EVALS"]

EVALS: Final = {
    "retrieval": "litrag.evals.retrieval:RETRIEVAL",
    "rerank": "litrag.evals.rerank:RERANK",
    "rewrite": "litrag.evals.rewrite:REWRITE",
    "reward": "litrag.evals.reward:REWARD",
    "ambiguity": "litrag.evals.ambiguity:AMBIGUITY",
    "hotpotqa": "litrag.evals.questions:HOTPOTQA",
    "musique": "litrag.evals.questions:MUSIQUE",
    "review": "litrag.evals.review:REVIEW",
    "verify": "litrag.evals.verify:VERIFY",
    "2wiki": "litrag.evals.questions:TWOWIKI",
    "coherence": "litrag.evals.coherence:COHERENCE",
}
