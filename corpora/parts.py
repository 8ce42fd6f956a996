"""What loaders share: a file of a folder, a split by name, halves by group, documents once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from litrag.core.errors import BadInput
from litrag.core.types import Document
from litrag.corpora.files import found
from litrag.corpora.types import Dataset, Topic, part_of

__all__ = ["distinct", "file_in", "halves", "taken"]

_HALVES: Final = (("train", 50), ("test", 50))
_PARTS: Final = ("train", "test", "all")


def taken(name: str, split: str, splits: Sequence[str]) -> str:
    """The split, if the data set has it. Raises BadInput, which names those it has."""
    if split not in splits:
        raise BadInput(f"data set {name} has no split {split!r}; there is: {', '.join(splits)}")
    return split


def file_in(folder: Path, name: str) -> Path:
    """A file of a data set, plain or gzip. Raises BadInput where it is missing."""
    path = found(folder, name)
    if path is None:
        raise BadInput(f"{folder}: no {name} or {name}.gz in it; check --dataset or LITRAG_DATA")
    return path


def halves(name: str, split: str, topics: Sequence[Topic], corpus: Callable[[], Iterator[Document]]) -> Dataset:
    """A data set whose splits are halves by the groups of its topics, over one corpus. Raises BadInput for another split."""
    part = taken(name, split or "all", _PARTS)
    kept = tuple(topic for topic in topics if part == "all" or part_of(topic.group, _HALVES) == part)
    return Dataset(name, part, kept, corpus)


def distinct(documents: Iterable[Document]) -> Iterator[Document]:
    """The documents whose id has not come before."""
    seen: set[str] = set()
    for document in documents:
        if document.id not in seen:
            seen.add(document.id)
            yield document
