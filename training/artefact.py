"""What a training leaves, by name: light enough for a shell's completion."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

__all__ = ["MODEL", "Kind", "called", "placed"]

Kind: TypeAlias = Literal["adapter", "full", "file"]
MODEL: Final = "model"  # its folder in the run folder


def called(kind: Kind, folder: Path, base: str = "", file: str = "") -> str:
    """The model string of a run folder's artefact: an adapter of `base` (without "local/"), a model of its own, or the path of a `file`."""
    if kind == "file":
        return str(folder / MODEL / file)
    return f"local/{base}+{folder / MODEL}" if kind == "adapter" else f"local/{folder / MODEL}"


def placed(model: str, kind: Kind, base: str, folder: Path) -> str:
    """The model string of a training whose run folder lies in `folder` now; `model` is what it was called at its end, and stays where an adapter's base
    was not kept."""
    return model if kind == "adapter" and not base else called(kind, folder, base, Path(model).name)
