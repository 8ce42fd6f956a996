"""Retrievers: BM25, dense, hybrid; fusion, merging, screening. Sources of papers are in `retrievers.sources`."""

from __future__ import annotations

from typing import Final

__all__ = ["RETRIEVERS"]

RETRIEVERS: Final = {
    "bm25": "litrag.retrievers.bm25:BM25",
    "dense": "litrag.retrievers.dense:Dense",
    "hybrid": "litrag.retrievers.fusion:Hybrid",
    "multi-query": "litrag.retrievers.fusion:MultiQuery",
}
