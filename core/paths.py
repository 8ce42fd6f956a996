"""Where litrag keeps things: one home folder (LITRAG_HOME, else the platform's data folder) and the weights (LITRAG_MODELS)."""

from __future__ import annotations

import os
from pathlib import Path

from litrag.core.errors import CannotWrite

__all__ = [
    "cache_file",
    "data_folder",
    "home",
    "libraries_folder",
    "made",
    "models_folder",
    "runs_folder",
    "tokens_folder",
    "web_file",
]


def home() -> Path:
    """The folder of runs, libraries, cache and user settings; not created here."""
    if chosen := os.environ.get("LITRAG_HOME"):
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("litrag", appauthor=False)


def models_folder() -> Path:
    """The folder of local weights."""
    chosen = os.environ.get("LITRAG_MODELS")
    return Path(chosen).expanduser() if chosen else home() / "models"


def libraries_folder() -> Path:
    """The folder that holds one folder a library."""
    return home() / "libraries"


def runs_folder() -> Path:
    """The folder that holds one folder a run."""
    return home() / "runs"


def cache_file() -> Path:
    """The request cache."""
    return home() / "cache.sqlite"


def tokens_folder() -> Path:
    """The folder that holds one store of token vectors an embedding model."""
    return home() / "tokens"


def web_file() -> Path:
    """Answers of scholarly sources, and whose turn it is to ask them."""
    return home() / "web.sqlite"


def data_folder() -> Path | None:
    """The evaluation data: LITRAG_DATA, else ../shared/data beside the working folder; None where there is neither."""
    chosen = Path(os.environ.get("LITRAG_DATA") or "../shared/data").expanduser()
    return chosen if chosen.is_dir() else None


def made(folder: Path) -> Path:
    """The folder, created where it was missing. Raises CannotWrite."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            folder, error.strerror or str(error), remedy="choose another place or set LITRAG_HOME"
        ) from error
    return folder
