"""Where papers come from: local libraries; scholarly services join by the same protocol."""

from __future__ import annotations

from typing import Final

__all__ = ["SOURCES"]

SOURCES: Final = {"library": "litrag.retrievers.sources.library_search:LibrarySource"}
