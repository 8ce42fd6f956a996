"""Registries: a literal table from name to "module:Class", so that listing names imports nothing."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from litrag.core.errors import UnknownName

__all__ = ["find", "names"]


def names(kind: str, table: Mapping[str, str]) -> tuple[str, ...]:
    """All names of a kind: litrag's own, then those that other packages register under the entry-point group `litrag.<kind>`."""
    return (*table, *(entry.name for entry in entry_points(group=f"litrag.{kind}") if entry.name not in table))


def find(kind: str, table: Mapping[str, str], name: str) -> Any:
    """The object behind a name. Raises UnknownName, which lists the names there are."""
    if name in table:
        return pkgutil.resolve_name(table[name])
    for entry in entry_points(group=f"litrag.{kind}", name=name):
        return entry.load()
    raise UnknownName(kind, name, names(kind, table))
