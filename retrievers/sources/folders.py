"""The files of a folder that a library can be made from, in one order on every machine."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from litrag.retrievers.sources.reading import kind_of

__all__ = ["Listing", "listed", "storable"]


@dataclass(slots=True)
class Listing:
    """Files with what they are called within the folder ("notes/a.md"); `unknown` counts those of no known kind by suffix; `problems`
    are folders that cannot be looked into, and names that no text can hold."""

    files: list[tuple[Path, str]] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def listed(folder: Path) -> Listing:
    """All files of a folder and of those within it, by name. Hidden ones are left out, and a folder that was seen before: a link that
    leads back ends there."""
    found = Listing()
    _walk(folder, "", {_identity(folder)}, found)
    return found


def _walk(folder: Path, within: str, seen: set[tuple[int, int]], found: Listing) -> None:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        found.problems.append(f"{folder} cannot be looked into: {error.strerror or error}; check its permissions")
        return
    for name in names:
        path, label = folder / name, f"{within}{name}"
        if not storable(path):
            found.problems.append(f"{str(path).encode('utf-8', 'replace').decode()}: its name is not UTF-8; rename it")
            continue
        try:
            is_folder, is_file = path.is_dir(), path.is_file()
            identity = _identity(path) if is_folder else (0, 0)
        except OSError:  # a link to itself, or gone since
            continue
        if is_folder and identity not in seen:
            seen.add(identity)
            _walk(path, f"{label}/", seen, found)
        elif is_file and kind_of(path):
            found.files.append((path, label))
        elif is_file:
            found.unknown[path.suffix.lower() or "no suffix"] += 1


def storable(path: Path) -> bool:
    """Whether a path's name is text: on Linux it may be any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino
