"""Data sets whose topics are questions with answers: HotPotQA, MuSiQue, CANARD (conversational), ScholarQA-Multi."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from litrag.core.store import digest
from litrag.core.types import Document, Query
from litrag.corpora.files import rows
from litrag.corpora.ranking import file_in, taken
from litrag.corpora.types import Dataset, Topic, part_of

__all__ = ["canard", "hotpotqa", "musique", "scholarqa_multi"]

_HALVES: Final = (("train", 50), ("test", 50))
_PARTS: Final = ("train", "test", "all")


def hotpotqa(folder: Path, split: str) -> Dataset:
    """HotPotQA (Yang et al., EMNLP 2018), questions over the pool of their distractor paragraphs; relevant are the paragraphs of the
    supporting facts. `facts`: type, level, supporting_facts [[title, sentence]]. Splits are halves by question."""
    topics = [
        Topic(
            row["_id"],
            Query(row["question"]),
            dict.fromkeys((_wiki_id(title) for title, _ in row["supporting_facts"]), 1),
            (row["answer"],),
            group=row["_id"],
            facts={name: row[name] for name in ("type", "level", "supporting_facts")},
        )
        for row in rows(file_in(folder, "questions.jsonl"))
    ]
    return _dataset("hotpotqa", split, topics, partial(_paragraphs, file_in(folder, "corpus.jsonl")))


def musique(folder: Path, split: str) -> Dataset:
    """MuSiQue (Trivedi et al., TACL 2022): questions of 2 to 4 hops, each with 20 paragraphs; the pool is the union of them all.
    `facts`: question_decomposition, paragraph ids of the question's own 20. Splits are halves by question."""
    path = file_in(folder, "kag_100.jsonl")
    topics = []
    for row in rows(path):
        own = {paragraph["idx"]: _musique_paragraph(paragraph) for paragraph in row["paragraphs"]}
        relevant = {own[p["idx"]].id: 1 for p in row["paragraphs"] if p["is_supporting"]}
        facts = {
            "question_decomposition": row["question_decomposition"],
            "paragraphs": [document.id for document in own.values()],
        }
        answers = (row["answer"], *row["answer_aliases"])
        topics.append(Topic(row["id"], Query(row["question"]), relevant, answers, group=row["id"], facts=facts))
    return _dataset("musique", split, topics, partial(_musique_corpus, path))


def canard(folder: Path, split: str) -> Dataset:
    """CANARD (Elgohary et al., EMNLP 2019), turns of conversations with the human rewrite. It ships no passages: here they are the
    answers that stand in the histories, under page and section title; a turn's target is the passage of its own answer, so the last
    turn of a dialogue has none and is left out. `facts`: rewrite, title, section. Splits are halves by page."""
    path = file_in(folder, "dev.jsonl")
    topics = []
    for dialogue in _dialogues(path).values():
        longest: Sequence[str] = max((turn["History"] for turn in dialogue), key=len)
        title, section, *said = longest
        for turn in dialogue:
            place = len(turn["History"]) - 2  # where question and answer of this turn stand in a later turn's history
            if len(said) < place + 2 or said[place] != turn["Question"]:
                continue
            document = _answer(title, section, said[place + 1])
            query = Query(turn["Question"], history=tuple(turn["History"][2:]), context=f"{title}\n{section}")
            facts = {"rewrite": turn["Rewrite"], "title": title, "section": section}
            name = f"{turn['QuAC_dialog_id']}#{turn['Question_no']}"
            topics.append(Topic(name, query, {document.id: 1}, (said[place + 1],), group=title, facts=facts))
    return _dataset("canard", split, topics, partial(_answers, path))


def scholarqa_multi(folder: Path, split: str) -> Dataset:
    """ScholarQA-Multi (Asai et al., 2024): questions of scientists with long answers by experts; relevant are the passages that the
    answer cites, the pool is the union of them all. `answers` holds the expert's answer, `facts` subject and annotator."""
    path = file_in(folder, "human_answers.jsonl")
    topics = [
        Topic(
            row["id"],
            Query(row["input"]),
            {_cited_passage(ctx).id: 1 for ctx in row["ctxs"]},
            (row["output"],),
            group=row["id"],
            facts={name: row[name] for name in ("subject", "annotator")},
        )
        for row in rows(path)
    ]
    return _dataset("scholarqa-multi", split, topics, partial(_cited_passages, path))


def _dataset(name: str, split: str, topics: Sequence[Topic], corpus: Any) -> Dataset:
    part = taken(name, split or "all", _PARTS)
    kept = tuple(topic for topic in topics if part == "all" or part_of(topic.group, _HALVES) == part)
    return Dataset(name, part, kept, corpus)


def _paragraphs(path: Path) -> Iterator[Document]:
    for row in rows(path):
        yield Document(_wiki_id(row["title"]), row["title"], f"{row['title']}\n{''.join(row['sentences'])}")


def _wiki_id(title: str) -> str:
    """A title as Wikipedia's addresses have it: TREC's files know no blanks."""
    return "_".join(title.split())


def _musique_paragraph(paragraph: Mapping[str, Any]) -> Document:
    title, text = paragraph["title"], paragraph["paragraph_text"]
    return Document(f"{_wiki_id(title)}#{digest(text)[:8]}", title, f"{title}\n{text}")


def _musique_corpus(path: Path) -> Iterator[Document]:
    return _distinct(_musique_paragraph(paragraph) for row in rows(path) for paragraph in row["paragraphs"])


def _dialogues(path: Path) -> dict[str, list[dict[str, Any]]]:
    dialogues: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(path):
        dialogues[row["QuAC_dialog_id"]].append(row)
    return dialogues


def _answer(title: str, section: str, text: str) -> Document:
    return Document(digest([title, section, text])[:16], f"{title}, {section}", f"{title}, {section}\n{text}")


def _answers(path: Path) -> Iterator[Document]:
    def every() -> Iterator[Document]:
        for dialogue in _dialogues(path).values():
            title, section, *said = max((turn["History"] for turn in dialogue), key=len)
            yield from (_answer(title, section, text) for text in said[1::2])

    return _distinct(every())


def _cited_passage(ctx: Mapping[str, Any]) -> Document:
    return Document(digest([ctx["title"], ctx["text"]])[:16], ctx["title"], f"{ctx['title']}\n{ctx['text']}")


def _cited_passages(path: Path) -> Iterator[Document]:
    return _distinct(_cited_passage(ctx) for row in rows(path) for ctx in row["ctxs"])


def _distinct(documents: Iterator[Document] | Any) -> Iterator[Document]:
    seen: set[str] = set()
    for document in documents:
        if document.id not in seen:
            seen.add(document.id)
            yield document
