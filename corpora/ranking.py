"""Data sets whose topics are queries with relevance judgements: SciFact, ACL citing papers, TREC DL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from litrag.core.keyphrases import keyphrases
from litrag.core.store import place_of
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.corpora.files import rows
from litrag.corpora.parts import file_in, taken
from litrag.corpora.trec import read_qrels
from litrag.corpora.types import Dataset, Topic

__all__ = ["acl", "acl_keyphrases", "acl_topics", "as_keyphrase", "scifact", "trec_dl", "trec_dl19", "trec_dl20"]

_ACL_TEST_YEAR: Final = 2019
_OTHERS: Final = 0.25  # share of papers that nobody cites, in the pool of keyphrases


def scifact(folder: Path, split: str) -> Dataset:
    """SciFact (Wadden et al., EMNLP 2020) as a retrieval task, as in BEIR; splits train and test, both official; "test" by default. Two
    thirds of the test claims ask for an abstract that a train claim asks for, too, often in almost the same words; new is test without
    these abstracts."""
    part = taken("scifact", split or "test", ("train", "test", "new"))
    topics = _claims(folder, "train" if part == "train" else "test")
    if part == "new":
        topics = _unseen(topics, _claims(folder, "train"))
    return Dataset("scifact", part, topics, partial(_abstracts, file_in(folder, "corpus.jsonl")))


def _claims(folder: Path, part: str) -> tuple[Topic, ...]:
    qrels = read_qrels(file_in(folder, f"{part}.qrels.txt"))
    texts = {str(row["_id"]): row["text"] for row in rows(file_in(folder, f"{part}.queries.jsonl"))}
    return tuple(Topic(name, Query(texts[name]), grades) for name, grades in qrels.items() if name in texts)


def _unseen(topics: Sequence[Topic], training: Sequence[Topic]) -> tuple[Topic, ...]:
    """The topics with those documents alone as relevant that are so to no topic of the training part; topics that keep one."""
    known = {name for topic in training for name in topic.relevant}
    fresh = (replace(topic, relevant={n: g for n, g in topic.relevant.items() if n not in known}) for topic in topics)
    return tuple(topic for topic in fresh if topic.relevant)


def acl(folder: Path, split: str) -> Dataset:
    """ACL citing papers: title and abstract ask for the works that they cite; the pool is every paper, none newer than the citing
    one, and not the citing one itself. Splits by the citing paper's year: train (before 2019), test (2019 and later), all; new is test with
    those works alone as relevant that no list of train cites."""
    part = taken("acl", split or "all", ("train", "test", "new", "all"))
    path = file_in(folder, "papers.jsonl")
    cites = {row["id"]: row["cites"] for row in rows(file_in(folder, "citations.jsonl"))}
    citing = {row["id"]: row for row in rows(path) if row["id"] in cites}
    topics = acl_topics(citing, cites)
    parts = {topic.id: _acl_part(int(citing[topic.id]["year"])) for topic in topics}
    if part == "new":
        test, train = ([t for t in topics if parts[t.id] == name] for name in ("test", "train"))
        return Dataset("acl", part, _unseen(test, train), partial(_papers, path))
    kept = tuple(topic for topic in topics if part in ("all", parts[topic.id]))
    return Dataset("acl", part, kept, partial(_papers, path))


def _acl_part(year: int) -> str:
    return "train" if year < _ACL_TEST_YEAR else "test"


def acl_topics(citing: Mapping[str, Mapping[str, Any]], cites: Mapping[str, Sequence[str]]) -> tuple[Topic, ...]:
    """A topic a citing paper, in order of the citations."""
    topics = []
    for name, works in cites.items():
        paper = citing[name]
        text = f"{paper['title']}\n{paper['abstract']}".strip()
        query = Query(text, before=date(int(paper["year"]) + 1, 1, 1), exclude=frozenset({name}))
        topics.append(Topic(name, query, dict.fromkeys(works, 1), group=name))
    return tuple(topics)


def acl_keyphrases(folder: Path, split: str) -> Dataset:
    """Ambiguous queries for the works that an ACL paper cites: its best keyphrase of one to three words (YAKE over title and abstract) instead of
    the text. Splits are those of `acl`. The pool is every work that some paper here cites and a quarter of the others, by a hash."""
    whole = acl(folder, split)
    path = file_in(folder, "papers.jsonl")
    cited = {name for row in rows(file_in(folder, "citations.jsonl")) for name in row["cites"]}
    topics = tuple(as_keyphrase(topic) for topic in whole.topics)

    def corpus() -> Iterator[Document]:
        return (d for d in _papers(path) if d.id in cited or place_of(d.id) < _OTHERS)

    return Dataset("acl-keyphrases", whole.split, topics, corpus)


def as_keyphrase(topic: Topic) -> Topic:
    """The topic with the best keyphrase of its title and abstract as its query; the title where there is none."""
    title, _, abstract = topic.query.text.partition("\n")
    text = f"{title}. {abstract}"  # no phrase reaches from the title into the abstract
    return replace(topic, query=replace(topic.query, text=next(iter(keyphrases(text, 1)), title)))


def trec_dl19(folder: Path, split: str) -> Dataset:
    """TREC Deep Learning 2019, passage reranking: BM25's first 100 with their raw scores; its passages are the corpus."""
    return _trec_dl(folder, split, "dl19")


def trec_dl20(folder: Path, split: str) -> Dataset:
    """TREC Deep Learning 2020, as `trec_dl19`."""
    return _trec_dl(folder, split, "dl20")


def trec_dl(folder: Path, split: str) -> Dataset:
    """Both years' topics as one set; a topic's group is its year's set."""
    first, second = _trec_dl(folder, split, "dl19"), _trec_dl(folder, split, "dl20")

    def corpus() -> Iterator[Document]:
        known: set[str] = set()
        for document in itertools.chain(first.corpus(), second.corpus()):
            if document.id not in known:
                known.add(document.id)
                yield document

    return Dataset("trec-dl", first.split, (*first.topics, *second.topics), corpus)


def _trec_dl(folder: Path, split: str, year: str) -> Dataset:
    part = taken(f"trec-{year}", split or "all", ("all",))
    path = file_in(folder, f"{year}.bm25.top100.jsonl")
    qrels = read_qrels(file_in(folder, f"{year}.qrels.txt"))
    topics = []
    for row in rows(path):
        query = Query(row["query"])
        hits = tuple(Hit(_passage(hit), (Score(hit["score"], "bm25", query.text, hit["rank"]),)) for hit in row["hits"])
        grades, given = qrels.get(row["qid"], {}), Ranking(query, hits)
        topics.append(Topic(row["qid"], query, grades, group=f"trec-{year}", candidates=given))
    return Dataset(f"trec-{year}", part, tuple(topics), partial(_candidates, path))


def _abstracts(path: Path) -> Iterator[Document]:
    for row in rows(path):
        text = " ".join(" ".join(row["sentences"]).split())
        yield Document(str(row["_id"]), row["title"], f"{row['title']}\n{text}")


def _papers(path: Path) -> Iterator[Document]:
    for row in rows(path):
        text = f"{row['title']}\n{row['abstract']}".strip()
        yield Document(row["id"], row["title"], text, {"year": int(row["year"]), "venue": row["venue"]})


def _candidates(path: Path) -> Iterator[Document]:
    seen: set[str] = set()
    for row in rows(path):
        for hit in row["hits"]:
            if hit["docid"] not in seen:
                seen.add(hit["docid"])
                yield _passage(hit)


def _passage(hit: Mapping[str, Any]) -> Document:
    return Document(hit["docid"], "", hit["content"])
