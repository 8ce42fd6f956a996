"""Data sets whose topics are questions with answers: HotPotQA, MuSiQue, ScholarQA-Multi."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from litrag.core.errors import BadInput
from litrag.core.store import digest
from litrag.core.types import Document, Query
from litrag.corpora.files import found, rows
from litrag.corpora.parts import distinct, file_in, halves
from litrag.corpora.types import Dataset, Topic
from litrag.corpora.wiki import (
    hub_rows,
    question_file,
    released_file,
    wiki_document,
    wiki_id,
    wiki_questions,
)

__all__ = ["hotpotqa", "hub_questions", "musique", "scholarqa_multi"]

_TYPES: Final = ("bridge", "comparison")


def hotpotqa(folder: Path, split: str) -> Dataset:
    """HotPotQA (Yang et al., EMNLP 2018), questions over the pool of their distractor paragraphs; relevant are the paragraphs of the
    supporting facts. `facts`: type, level, supporting_facts [[title, sentence]]. Splits are halves by question, and bridge and comparison, the
    questions of that type. A folder without questions.jsonl may hold the file that the authors released."""
    if found(folder, "questions.jsonl") is None and folder.is_dir():
        return question_file("hotpotqa", folder, split)
    topics = [
        Topic(
            row["_id"],
            Query(row["question"]),
            dict.fromkeys((wiki_id(title) for title, _ in row["supporting_facts"]), 1),
            (row["answer"],),
            group=row["_id"],
            facts={name: row[name] for name in ("type", "level", "supporting_facts")},
        )
        for row in rows(file_in(folder, "questions.jsonl"))
    ]
    corpus = partial(_paragraphs, file_in(folder, "corpus.jsonl"))
    if split in _TYPES:
        return Dataset("hotpotqa", split, tuple(topic for topic in topics if topic.facts["type"] == split), corpus)
    return halves("hotpotqa", split, topics, corpus)


def musique(folder: Path, split: str) -> Dataset:
    """MuSiQue (Trivedi et al., TACL 2022): questions of 2 to 4 hops, each with 20 paragraphs; the pool is the union of them all.
    `facts`: question_decomposition, paragraph ids of the question's own 20. Splits are halves by question. kag_100.jsonl, or a file as released;
    questions that its "full" form made unanswerable are left out."""
    known = found(folder, "kag_100.jsonl") or not folder.is_dir()
    path = file_in(folder, "kag_100.jsonl") if known else released_file(folder, ".jsonl")
    return _musique(list(rows(path)), split)


def hub_questions(name: str, hub: str, split: str) -> Dataset:
    """`hotpotqa`, `2wiki` or `musique` as the hub's `OWNER/NAME` has it; `split` is the hub's ("validation" by default). Raises BadInput, MissingExtra,
    EnvironmentFault."""
    wanted = split or "validation"
    told = hub_rows(hub, wanted)
    whole = _musique(told, "all") if name == "musique" else wiki_questions(name, told, "all")
    return Dataset(name, wanted, whole.topics, whole.corpus)


def _musique(told: Sequence[Mapping[str, Any]], split: str) -> Dataset:
    topics: list[Topic] = []
    pool: list[Document] = []
    for number, row in enumerate(told, start=1):
        try:
            if row.get("answerable", True):
                topic, own = _musique_topic(row)
                topics.append(topic)
                pool += own
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"musique, question {number}: {error!r}; it takes question, answer, and paragraphs of which it is said which are supporting"
            ) from error
    return halves("musique", split, topics, lambda: distinct(pool))


def _musique_topic(row: Mapping[str, Any]) -> tuple[Topic, Sequence[Document]]:
    told = row["paragraphs"]
    if isinstance(told, Mapping):  # as the hub has lists of records
        told = [dict(zip(told, values, strict=True)) for values in zip(*told.values(), strict=True)]
    own = [_musique_paragraph(paragraph) for paragraph in told]
    relevant = {document.id: 1 for document, said in zip(own, told, strict=True) if said["is_supporting"]}
    facts = {
        "question_decomposition": row["question_decomposition"],
        "paragraphs": [document.id for document in own],
    }
    answers = (row["answer"], *row.get("answer_aliases", ()))
    return Topic(row["id"], Query(row["question"]), relevant, answers, group=row["id"], facts=facts), own


def scholarqa_multi(folder: Path, split: str) -> Dataset:
    """ScholarQA-Multi (Asai et al., 2024): questions of scientists with long answers by experts; relevant are the passages that the
    answer cites, the pool is the union of them all. `answers` holds the expert's answer, `facts` subject, annotator, and the passages' ids in the order that its markers count."""
    path = file_in(folder, "human_answers.jsonl")
    topics = [
        Topic(
            row["id"],
            Query(row["input"]),
            {_cited_passage(ctx).id: 1 for ctx in row["ctxs"]},
            (row["output"],),
            group=row["id"],
            facts={
                **{name: row[name] for name in ("subject", "annotator")},
                "passages": [_cited_passage(ctx).id for ctx in row["ctxs"]],
            },
        )
        for row in rows(path)
    ]
    return halves("scholarqa-multi", split, topics, partial(_cited_passages, path))


def _paragraphs(path: Path) -> Iterator[Document]:
    for row in rows(path):
        yield wiki_document(row["title"], row["sentences"])


def _musique_paragraph(paragraph: Mapping[str, Any]) -> Document:
    title, text = paragraph["title"], paragraph["paragraph_text"]
    return Document(f"{wiki_id(title)}#{digest(text)[:8]}", title, f"{title}\n{text}")


def _cited_passage(ctx: Mapping[str, Any]) -> Document:
    return Document(digest([ctx["title"], ctx["text"]])[:16], ctx["title"], f"{ctx['title']}\n{ctx['text']}")


def _cited_passages(path: Path) -> Iterator[Document]:
    return distinct(_cited_passage(ctx) for row in rows(path) for ctx in row["ctxs"])
