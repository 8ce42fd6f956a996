"""litrag: from an abstract to a related-work section whose every citation is real and supported."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import filterwarnings

if TYPE_CHECKING:
    from litrag.evals.calls import evaluate
    from litrag.evals.drawing import plot
    from litrag.pipelines.api import Review, resume, review, review_async
    from litrag.pipelines.calls import add_library, ask, rerank, rewrite, search
    from litrag.training.calls import train

__all__ = [
    "Review",
    "__version__",
    "add_library",
    "ask",
    "evaluate",
    "plot",
    "rerank",
    "resume",
    "review",
    "review_async",
    "rewrite",
    "search",
    "train",
]

__version__ = "0.1.0"

# where a name is from: `import litrag` loads none of them
_NAMES = {
    **dict.fromkeys(("Review", "resume", "review", "review_async"), "litrag.pipelines.api"),
    **dict.fromkeys(("add_library", "ask", "rerank", "rewrite", "search"), "litrag.pipelines.calls"),
    "evaluate": "litrag.evals.calls",
    "plot": "litrag.evals.drawing",
    "train": "litrag.training.calls",
}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        # a package below asks for ipywidgets in every notebook; litrag draws no such bar
        filterwarnings("ignore", message="IProgress not found")
        return getattr(import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'litrag' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
