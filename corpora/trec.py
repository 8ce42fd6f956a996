"""TREC's files: runs and relevance judgements, in and out."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from litrag.core.errors import BadInput, CannotWrite

__all__ = ["Qrels", "read_qrels", "read_run", "read_scored_run", "run_lines", "write_qrels", "write_run"]

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Topic -> document -> grade, in the file's order. Reads TREC's four columns (topic, iteration, document, grade) and BEIR's three
    with a header. Raises BadInput, naming the line."""
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for number, columns in _columns(path):
        if number == 1 and columns[-1].lower() == "score":
            continue
        if len(columns) not in (3, 4):
            raise BadInput(
                f"{path}, line {number}: {len(columns)} columns; qrels have topic, iteration, document, grade"
            )
        try:
            qrels[columns[0]][columns[-2]] = int(float(columns[-1]))
        except ValueError as error:
            raise BadInput(f"{path}, line {number}: grade {columns[-1]!r} is no number") from error
    if not qrels:
        raise BadInput(f"{path} holds no judgement")
    return dict(qrels)


def read_run(path: Path) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The run's tag, and topic -> document ids, best first: by score, which is what evaluators go by, ties by rank. Raises BadInput,
    naming the line."""
    tag, found = _scored(_columns(path), str(path))
    return tag, {topic: tuple(name for name, _ in rows) for topic, rows in found.items()}


def read_scored_run(text: str, name: str) -> tuple[str, dict[str, tuple[tuple[str, float], ...]]]:
    """The tag of a run that stands in a text, and topic -> (document id, score), best first. Raises BadInput, naming the line."""
    return _scored(_cells(text.splitlines()), name)


def _scored(rows: Iterable[tuple[int, list[str]]], name: str) -> tuple[str, dict[str, tuple[tuple[str, float], ...]]]:
    found: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
    tag = ""
    for number, columns in rows:
        if len(columns) != 6:
            raise BadInput(
                f"{name}, line {number}: {len(columns)} columns; a run has topic, Q0, document, rank, score, tag"
            )
        topic, _, document, rank, score, tag = columns
        if document in found[topic]:
            raise BadInput(f"{name}, line {number}: {document} stands twice for topic {topic}")
        try:
            found[topic][document] = (-float(score), int(rank))
        except ValueError as error:
            raise BadInput(f"{name}, line {number}: rank {rank!r} or score {score!r} is no number") from error
    if not found:
        raise BadInput(f"{name} holds no ranking")
    return tag, {
        topic: tuple((document, -ranked[document][0]) for document in sorted(ranked, key=lambda each: ranked[each]))
        for topic, ranked in found.items()
    }


def write_run(path: Path, run: Mapping[str, Sequence[str]], tag: str) -> None:
    """Writes rankings; the score is n - rank, because evaluators sort by score: a stale or tied one would change the order.
    Raises BadInput for ids with blanks, which the format cannot hold, and CannotWrite."""
    spoilt = next((name for ids in run.values() for name in ids if len(name.split()) != 1), None)
    if spoilt is not None:
        raise BadInput(f"document id {spoilt!r}: a TREC run holds no id with blanks; rename the documents")
    _write(path, itertools.chain.from_iterable(run_lines(topic, ids, tag) for topic, ids in run.items()))


def run_lines(topic: str, ids: Sequence[str], tag: str) -> Iterator[str]:
    """The lines of one topic."""
    for rank, document in enumerate(ids, start=1):
        yield f"{topic} Q0 {document} {rank} {len(ids) - rank} {tag}\n"


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Writes judgements in TREC's four columns. Raises CannotWrite."""
    _write(path, (f"{topic} 0 {name} {grade}\n" for topic, grades in qrels.items() for name, grade in grades.items()))


def _columns(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Columns are apart by tabs where there is one (ids may hold blanks then), else by blanks."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            yield from _cells(lines)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text") from error


def _cells(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, [part.strip() for part in line.split("\t")] if "\t" in line else line.split()


def _write(path: Path, lines: Iterator[str]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
    except OSError as error:
        raise CannotWrite(path, error.strerror or str(error)) from error
