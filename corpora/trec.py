"""TREC's files: runs and relevance judgements, in and out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from litrag.core.errors import BadInput, CannotWrite

__all__ = ["Qrels", "parse_run", "read_qrels", "read_run", "run_lines", "write_qrels", "write_run"]

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Topic -> document -> grade, in the file's order. Reads TREC's four columns (topic, iteration, document, grade) and BEIR's three
    with a header. Raises BadInput, naming the line."""
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    with _opened(path) as lines:
        for number, columns in _columns(lines):
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


def read_run(path: Path, *, as_evaluators: bool = False) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The run's tag, and topic -> document ids, best first; equal scores by rank or, `as_evaluators` have them (trec_eval), by id from the last to the first.
    Raises BadInput, naming the line."""
    with _opened(path) as lines:
        tag, run = parse_run(lines, path)
    if as_evaluators:
        run = {topic: {name: scores[name] for name in sorted(scores, reverse=True)} for topic, scores in run.items()}
        run = {topic: dict(sorted(scores.items(), key=lambda pair: -pair[1])) for topic, scores in run.items()}
    return tag, {topic: tuple(scores) for topic, scores in run.items()}


def parse_run(lines: Iterable[str], name: object) -> tuple[str, dict[str, dict[str, float]]]:
    """The tag of a run called `name`, and topic -> document id -> score, best first: by score, which is what evaluators go by, ties by
    rank. Raises BadInput, naming the line."""
    found: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
    tag = ""
    for number, columns in _columns(lines):
        if len(columns) != 6:
            raise BadInput(
                f"{name}, line {number}: {len(columns)} columns; a run has topic, Q0, document, rank, score, tag"
            )
        topic, _, document, rank, score, tag = columns
        if document in found[topic]:
            raise BadInput(f"{name}, line {number}: {document} stands twice for topic {topic}")
        found[topic][document] = _place(f"{name}, line {number}", rank, score)
    if not found:
        raise BadInput(f"{name} holds no ranking")
    best_first = {topic: sorted(ranked, key=lambda each: ranked[each]) for topic, ranked in found.items()}
    return tag, {topic: {each: -found[topic][each][0] for each in order} for topic, order in best_first.items()}


def write_run(path: Path, run: Mapping[str, Sequence[str]], tag: str) -> None:
    """Writes rankings as `run_lines` has them. Raises BadInput, CannotWrite."""
    _write(path, run_lines(run, tag))


def run_lines(run: Mapping[str, Sequence[str]], tag: str) -> list[str]:
    """The lines of a run; the score is n - rank, because evaluators sort by score: a stale or tied one would change the order. Raises
    BadInput for ids with blanks, which the format cannot hold."""
    spoilt = next((name for topic, ids in run.items() for name in (topic, *ids) if len(name.split()) != 1), None)
    if spoilt is not None:
        raise BadInput(f"id {spoilt!r}: a TREC run holds no id with blanks; rename topics and documents")
    return [
        f"{topic} Q0 {document} {rank} {len(ids) - rank} {tag}\n"
        for topic, ids in run.items()
        for rank, document in enumerate(ids, start=1)
    ]


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Writes judgements in TREC's four columns. Raises CannotWrite."""
    _write(path, (f"{topic} 0 {name} {grade}\n" for topic, grades in qrels.items() for name, grade in grades.items()))


def _place(where: str, rank: str, score: str) -> tuple[float, int]:
    """What puts a document into its place, least first."""
    try:
        place = -float(score), int(rank)
    except ValueError as error:
        raise BadInput(f"{where}: rank {rank!r} or score {score!r} is no number") from error
    if math.isnan(place[0]):
        raise BadInput(f"{where}: score {score!r} is no number")
    return place


def _columns(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and columns, which are apart by tabs where there is one (ids may hold blanks then), else by blanks."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, [part.strip() for part in line.split("\t")] if "\t" in line else line.split()


@contextmanager
def _opened(path: Path) -> Iterator[Iterable[str]]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            yield lines
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text") from error


def _write(path: Path, lines: Iterable[str]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
    except OSError as error:
        raise CannotWrite(path, error.strerror or str(error)) from error
