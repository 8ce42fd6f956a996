"""BEIR's layout (Thakur et al., NeurIPS 2021), from a folder or from a hub."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from litrag.core.errors import BadInput, EnvironmentFault, MissingExtra
from litrag.core.types import Document, Query
from litrag.corpora.files import found, rows
from litrag.corpora.trec import read_qrels
from litrag.corpora.types import Dataset, Topic

__all__ = ["beir", "from_hub", "is_beir"]


def is_beir(folder: Path) -> bool:
    """Whether a folder holds corpus, queries and qrels/."""
    return bool(found(folder, "corpus.jsonl") and found(folder, "queries.jsonl") and (folder / "qrels").is_dir())


def beir(folder: Path, split: str) -> Dataset:
    """A folder with corpus.jsonl, queries.jsonl (plain or gzip) and qrels/<split>.tsv (or .txt in TREC's form). The split defaults to
    "test", or to the only one. Raises BadInput."""
    splits = {path.stem: path for path in sorted((folder / "qrels").glob("*.t[sx][vt]"))}
    part = split or (next(iter(splits)) if len(splits) == 1 else "test")
    if part not in splits:
        raise BadInput(f"{folder}/qrels has no split {part!r}; there is: {', '.join(splits) or 'none'}")
    corpus, queries = found(folder, "corpus.jsonl"), found(folder, "queries.jsonl")
    assert corpus is not None
    assert queries is not None
    topics = _topics(rows(queries), read_qrels(splits[part]))
    return Dataset(folder.resolve().name, part, topics, partial(_documents, partial(rows, corpus)))


def from_hub(name: str, split: str) -> Dataset:
    """`OWNER/NAME` of the Hugging Face hub, or a local folder in the hub's form, with the configurations `corpus` and `queries` and
    the judgements as default configuration (as mteb/* has them). Raises MissingExtra, EnvironmentFault where no hub is in reach."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "train") from error
    part = split or "test"

    def table(config: str, wanted: str) -> Any:
        try:
            return datasets.load_dataset(name, config, split=wanted)
        except Exception as error:
            line = " ".join(str(error).split())[:200]
            raise EnvironmentFault(
                f"hf:{name}, configuration {config}, split {wanted}: cannot be had ({line}); give a folder in BEIR's layout"
            ) from error

    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for row in table("default", part):
        qrels[str(row["query-id"])][str(row["corpus-id"])] = int(row["score"])
    topics = _topics(table("queries", "queries"), qrels)
    corpus = table("corpus", "corpus")
    return Dataset(name, part, topics, partial(_documents, lambda: corpus))


def _topics(queries: Iterable[Mapping[str, Any]], qrels: Mapping[str, Mapping[str, int]]) -> tuple[Topic, ...]:
    texts = {_field(row, "_id", "query", n): _field(row, "text", "query", n) for n, row in enumerate(queries, start=1)}
    topics = tuple(Topic(name, Query(texts[name]), grades) for name, grades in qrels.items() if name in texts)
    if not topics:
        raise BadInput("no query has a judgement; the ids of queries and qrels do not meet")
    return topics


def _documents(read: Any) -> Iterator[Document]:
    for number, row in enumerate(read(), start=1):
        title = str(row.get("title") or "")
        name, text = _field(row, "_id", "document", number), _field(row, "text", "document", number)
        yield Document(name, title, f"{title}\n{text}" if title else text)


def _field(row: Mapping[str, Any], name: str, what: str, number: int) -> str:
    if row.get(name) is None:
        raise BadInput(f"{what} {number} of the data set has no {name!r}; each line has _id and text")
    return str(row[name])
