"""Questions over Wikipedia paragraphs in the form that HotPotQA's authors gave it and 2WikiMultiHopQA took over: a JSON file, a list of questions,
each with its own paragraphs, split into sentences; or the same as a data set of the Hugging Face hub."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from litrag.core.errors import BadInput, EnvironmentFault, MissingExtra
from litrag.core.types import Document, Query
from litrag.corpora.parts import distinct, halves
from litrag.corpora.types import Dataset, Topic

__all__ = ["hub_rows", "question_file", "released_file", "twowiki", "wiki_document", "wiki_id", "wiki_questions"]

_FACTS: Final = ("type", "level")


def twowiki(folder: Path, split: str) -> Dataset:
    """2WikiMultiHopQA (Ho et al., COLING 2020): dev.json, or the only .json file, plain or gzip, as released. Splits are halves by question. Raises BadInput."""
    return question_file("2wiki", folder, split)


def question_file(name: str, folder: Path, split: str) -> Dataset:
    """A folder with a released file of such questions; the pool is the union of their paragraphs. Raises BadInput."""
    return wiki_questions(name, _whole(released_file(folder, ".json")), split)


def released_file(folder: Path, ending: str) -> Path:
    """The dev file of a folder, or the only one, plain or gzip. Raises BadInput where there are several, or none."""
    files = sorted(path for path in folder.glob(f"*{ending}*") if path.name.endswith((ending, f"{ending}.gz")))
    chosen = [path for path in files if path.name.startswith("dev.")] or files
    if len(chosen) != 1:
        told = ", ".join(path.name for path in files) or "none"
        raise BadInput(f"{folder}: which file of questions? There is: {told}; keep one, or call it dev{ending}")
    return chosen[0]


def hub_rows(hub: str, split: str) -> Sequence[Mapping[str, Any]]:
    """The questions of `OWNER/NAME` of the Hugging Face hub, or of a local folder in the hub's form. Raises MissingExtra, EnvironmentFault where no hub is
    in reach."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "train") from error
    config = "distractor" if hub == "hotpotqa/hotpot_qa" else None
    try:
        return list(datasets.load_dataset(hub, config, split=split))
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise EnvironmentFault(
            f"hf:{hub}, split {split}: cannot be had ({line}); give the released file's folder"
        ) from error


def wiki_document(title: str, sentences: Iterable[str]) -> Document:
    """A paragraph: title, then a sentence a line, since supporting facts are numbers of sentences."""
    lines = "\n".join(" ".join(text.split()) for text in sentences)
    return Document(wiki_id(title), title, f"{title}\n{lines}")


def wiki_id(title: str) -> str:
    """A title as Wikipedia's addresses have it: TREC's files know no blanks."""
    return "_".join(title.split())


def wiki_questions(name: str, rows: Sequence[Mapping[str, Any]], split: str) -> Dataset:
    """Questions in this form; the pool is the union of their paragraphs. Raises BadInput, which names the question."""
    topics = []
    for number, row in enumerate(rows, start=1):
        try:
            topics.append(_topic(row))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"{name}, question {number}: {error!r}; it takes question, answer, supporting_facts and context"
            ) from error
    return halves(name, split, topics, partial(_pool, rows))


def _topic(row: Mapping[str, Any]) -> Topic:
    facts = _pairs(row["supporting_facts"], "title", "sent_id")
    _pairs(row["context"], "title", "sentences")
    known = {name: row[name] for name in _FACTS if name in row}
    own = str(row.get("_id") or row["id"])
    return Topic(
        own,
        Query(row["question"]),
        dict.fromkeys((wiki_id(title) for title, _ in facts), 1),
        (row["answer"],),
        group=own,
        facts={**known, "supporting_facts": [[title, int(index)] for title, index in facts]},
    )


def _pool(rows: Sequence[Mapping[str, Any]]) -> Iterator[Document]:
    pairs = (pair for row in rows for pair in _pairs(row["context"], "title", "sentences"))
    return distinct(wiki_document(title, sentences) for title, sentences in pairs)


def _pairs(value: Any, first: str, second: str) -> list[tuple[str, Any]]:
    """Pairs as released ([[a, b], ...]), or as the hub has them ({first: [a, ...], second: [b, ...]})."""
    if isinstance(value, Mapping):
        return list(zip(value[first], value[second], strict=True))
    return [(str(one), other) for one, other in value]


def _whole(path: Path) -> Sequence[Mapping[str, Any]]:
    import gzip

    opened: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}); fetch it again") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadInput(f"{path} is no list of questions; it takes the file as released")
    return found
