"""Which versions of which packages a result was made with."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

__all__ = ["versions"]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Package -> version; "here" for one without metadata, "not installed" for one that is not there."""
    return {name: _version(name) for name in packages}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "here" if importlib.util.find_spec(name.replace("-", "_")) else "not installed"
