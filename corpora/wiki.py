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

__all__ = ["hub_questions", "question_file", "twowiki", "wiki_document", "wiki_id"]

_FACTS: Final = ("type", "level")


def twowiki(folder: Path, split: str) -> Dataset:
    """2WikiMultiHopQA (Ho et al., COLING 2020): dev.json, or the only .json file, plain or gzip, as released. Splits are halves by question. Raises BadInput."""
    return question_file("2wiki", folder, split)


def question_file(name: str, folder: Path, split: str) -> Dataset:
    """A folder with a released file of such questions; the pool is the union of their paragraphs. Raises BadInput."""
    files = sorted(path for path in folder.glob("*.json*") if path.name.endswith((".json", ".json.gz")))
    chosen = [path for path in files if path.name.startswith("dev.")] or files
    if len(chosen) != 1:
        told = ", ".join(path.name for path in files) or "none"
        raise BadInput(f"{folder}: which file of questions? There is: {told}; keep one, or call it dev.json")
    return _dataset(name, _whole(chosen[0]), split)


def hub_questions(name: str, hub: str, split: str) -> Dataset:
    """`OWNER/NAME` of the Hugging Face hub, or a local folder in the hub's form; `split` is the hub's ("validation" by default). Raises MissingExtra,
    EnvironmentFault where no hub is in reach."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "train") from error
    wanted = split or "validation"
    config = "distractor" if hub == "hotpotqa/hotpot_qa" else None
    try:
        rows = list(datasets.load_dataset(hub, config, split=wanted))
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise EnvironmentFault(
            f"hf:{hub}, split {wanted}: cannot be had ({line}); give the released file's folder"
        ) from error
    found = _dataset(name, rows, "all")
    return Dataset(name, wanted, found.topics, found.corpus)


def wiki_document(title: str, sentences: Iterable[str]) -> Document:
    """A paragraph: title, then a sentence a line, since supporting facts are numbers of sentences."""
    lines = "\n".join(" ".join(text.split()) for text in sentences)
    return Document(wiki_id(title), title, f"{title}\n{lines}")


def wiki_id(title: str) -> str:
    """A title as Wikipedia's addresses have it: TREC's files know no blanks."""
    return "_".join(title.split())


def _dataset(name: str, rows: Sequence[Mapping[str, Any]], split: str) -> Dataset:
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
