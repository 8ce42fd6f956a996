"""CANARD (Elgohary et al., EMNLP 2019): turns of conversations about a section of a page, each with the human rewrite of its question.

It ships no passages. Here they are made of the answers that stand in the histories: one a passage (`canard`), or windows of three consecutive
ones (`canard-windows`). A window that holds the answer makes P(answer | window) a relevance judgement in disguise, so in a second condition
(`canard-unanswered`) a turn looks for its window without its own answer, among all others but those of its page that hold it, too: a section that
two dialogues are about is told twice."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from litrag.core.store import digest
from litrag.core.types import Document, Filter, Query
from litrag.corpora.files import rows
from litrag.corpora.parts import distinct, file_in, halves
from litrag.corpora.types import Dataset, Topic

__all__ = ["canard", "canard_unanswered", "canard_windows"]

_SIZE: Final = 3  # answers of a window
_TOLD: Final = 3  # words of an answer that is looked for inside other answers
_WORD: Final = re.compile(r"\w+")
_UNKNOWN: Final = "I don't know."
_ANY: Final = Filter()
_WINDOWS: Final = "windows"  # the source of passages that every turn may get


def canard(folder: Path, split: str) -> Dataset:
    """A passage an answer, under page and section title; a turn's target is the passage of its own answer, so the last turn of a dialogue has
    none and is left out. `facts`: rewrite, title, section. Splits are halves by page."""
    path = file_in(folder, "dev.jsonl")
    topics = [
        turn.topic(dict.fromkeys([_passage(dialogue, (turn.answer,)).id], 1))
        for dialogue in _dialogues(path)
        for turn in dialogue.turns
    ]
    every = lambda: distinct(_passage(d, (text,)) for d in _dialogues(path) for text in d.answers)  # noqa: E731
    return halves("canard", split, topics, every)


def canard_windows(folder: Path, split: str) -> Dataset:
    """A passage three consecutive answers of a dialogue; a turn's targets are the windows that hold its answer. Turns that nobody answered, or
    whose answer is all that their windows say, are left out. `facts` and splits are those of `canard`."""
    return _windowed("canard-windows", folder, split, unanswered=False)


def canard_unanswered(folder: Path, split: str) -> Dataset:
    """`canard-windows`, but the turn's own answer is deleted from the windows that hold it, with longer answers around it, and what other windows
    of the page hold it may not be got; all others are whole. An answer of one or two words is sought as a whole answer alone: it stands in many."""
    return _windowed("canard-unanswered", folder, split, unanswered=True)


@dataclass(frozen=True, slots=True)
class _Dialogue:
    title: str
    section: str
    said: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]

    @property
    def answers(self) -> tuple[str, ...]:
        return self.said[1::2]

    @property
    def turns(self) -> Iterator[_Turn]:
        """Those whose answer a later history tells."""
        for row in self.rows:
            place = len(row["History"]) - 2  # where question and answer stand in a later turn's history
            if len(self.said) >= place + 2 and self.said[place] == row["Question"]:
                yield _Turn(self, row, self.said[place + 1])


@dataclass(frozen=True, slots=True)
class _Turn:
    dialogue: _Dialogue
    row: dict[str, Any]
    answer: str

    @property
    def id(self) -> str:
        return f"{self.row['QuAC_dialog_id']}#{self.row['Question_no']}"

    def told(self, text: str) -> bool:
        """Whether a text is the turn's answer, or has it among its words."""
        answer, words = _WORD.findall(self.answer), _WORD.findall(text)
        return text == self.answer or (len(answer) >= _TOLD and f" {' '.join(answer)} " in f" {' '.join(words)} ")

    def topic(self, relevant: dict[str, int], only: Filter = _ANY) -> Topic:
        title, section = self.dialogue.title, self.dialogue.section
        history = tuple(self.row["History"][2:])
        query = Query(self.row["Question"], history=history, context=f"{title}\n{section}", only=only)
        facts = {"rewrite": self.row["Rewrite"], "title": title, "section": section}
        return Topic(self.id, query, relevant, (self.answer,), group=title, facts=facts)


def _windowed(name: str, folder: Path, split: str, *, unanswered: bool) -> Dataset:
    path = file_in(folder, "dev.jsonl")
    topics: list[Topic] = []
    own: list[Document] = []
    dialogues = list(_dialogues(path))
    pages: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    for dialogue in dialogues:
        pages[dialogue.title] += [(_passage(dialogue, texts).id, texts) for texts in _windows(dialogue.answers)]
    for dialogue in dialogues:
        for turn in dialogue.turns:
            held = [texts for texts in _windows(dialogue.answers) if turn.answer in texts and len(set(texts)) > 1]
            left = [document for texts in held if (document := _of_turn(turn, texts))]
            if turn.answer == _UNKNOWN or not left:
                continue
            if not unanswered:
                topics.append(turn.topic({_passage(dialogue, texts).id: 1 for texts in held}))
                continue
            topic = turn.topic(dict.fromkeys((d.id for d in left), 1), Filter(sources=frozenset({_WINDOWS, turn.id})))
            told = frozenset(name for name, texts in pages[dialogue.title] if any(map(turn.told, texts)))
            topics.append(replace(topic, query=replace(topic.query, exclude=told)))
            own += left
    return halves(name, split, topics, partial(_every, path, own))


def _every(path: Path, own: Sequence[Document]) -> Iterator[Document]:
    whole = (_passage(d, texts, _WINDOWS) for d in _dialogues(path) for texts in _windows(d.answers))
    yield from distinct(whole)
    yield from own


def _windows(answers: Sequence[str]) -> list[tuple[str, ...]]:
    """Three after three; the last three, where some are left over."""
    told = [text for text in answers if text != _UNKNOWN]
    starts = [*range(0, len(told) - _SIZE + 1, _SIZE)]
    if len(told) % _SIZE or not starts:
        starts.append(max(0, len(told) - _SIZE))
    return [tuple(told[start : start + _SIZE]) for start in starts if told]


def _of_turn(turn: _Turn, texts: Sequence[str]) -> Document | None:
    left = tuple(text for text in texts if not turn.told(text))
    if not left:
        return None
    passage = _passage(turn.dialogue, left, turn.id)
    return replace(passage, id=f"{passage.id}-{digest(turn.id)[:8]}")


def _passage(dialogue: _Dialogue, texts: Sequence[str], source: str = "") -> Document:
    head = f"{dialogue.title}, {dialogue.section}"
    name = digest([dialogue.title, dialogue.section, *texts])[:16]
    return Document(name, head, f"{head}\n{' '.join(texts)}", {"source": source} if source else {})


def _dialogues(path: Path) -> Iterator[_Dialogue]:
    by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(path):
        by_id[row["QuAC_dialog_id"]].append(row)
    for turns in by_id.values():
        title, section, *said = max((turn["History"] for turn in turns), key=len)
        yield _Dialogue(title, section, tuple(said), tuple(turns))
