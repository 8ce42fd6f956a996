"""litrag: from an abstract to a related-work section whose every citation is real and supported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litrag.pipelines.api import Review, resume, review, review_async

__all__ = ["Review", "__version__", "resume", "review", "review_async"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("Review", "resume", "review", "review_async"):
        from litrag.pipelines import api

        return getattr(api, name)
    raise AttributeError(f"module 'litrag' has no attribute {name!r}")
