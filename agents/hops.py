"""Next queries without a model.

`Feedback` repeats the question with the text of the best unread-so-far document: the naive hop. `EntityHops` follows names: first those of the
question that no document read is about (a comparison asks for two), then bridges, names in what was read that the question does not hold,
asked together with what of the question nothing read has covered yet."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from litrag.agents.entities import WordWeights, content_words, names_in
from litrag.agents.loop import Next, Notes
from litrag.core.types import Document

__all__ = ["Bridge", "EntityHops", "Feedback", "MoreLikeThis", "bridges", "open_names", "uncovered"]

_NAME_WORDS: Final = 8
_LONG: Final = 5  # letters of a word that an ending of so many leaves the same
_ENDING: Final = 2
_ENDED: Final = re.compile(r"(?<=[a-z0-9)\]\"”][.!?])\s+(?=[A-Z\"“(])")
_DATES: Final = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday "
    "sunday".split()
)


@dataclass(frozen=True, slots=True)
class Feedback:
    """The question and the beginning of the best document of the last hop, `words` words."""

    words: int = 30

    async def next(self, notes: Notes) -> Next:
        """None where the last hop read nothing."""
        read = notes.steps[-1].read
        if not read:
            return Next(reason="nothing new")
        text = " ".join(read[0].document.text.split()[: self.words])
        return Next(f"{notes.question.text} {text}")


@dataclass(frozen=True, slots=True)
class MoreLikeThis:
    """Searches with the title and abstract of what was found, best first: relevance feedback by whole documents, for questions that are texts."""

    async def next(self, notes: Notes) -> Next:
        """None where all that was read has been asked with."""
        for document in notes.documents:
            if document.text.strip() and document.text.strip().casefold() not in notes.asked:
                return Next(document.text, f"more like {document.title}")
        return Next(reason="nothing new")


@dataclass(frozen=True, slots=True)
class Bridge:
    """A name in what was read that may lead on; `worth` is greater the more the sentence that holds it says of the question."""

    name: str
    worth: float
    document: str


@dataclass(frozen=True, slots=True)
class EntityHops:
    """`weight` gives a word's worth (inverse document frequency); unknown words have the greatest. `least` is the worth below which a bridge is not
    followed, `rare` the worth of a question's name (its rarest word's, over the greatest) below which it is not asked for. `place` 0 takes the best
    query, 1 the next one, and so on."""

    weight: WordWeights = field(default_factory=WordWeights)
    least: float = 0.0
    rare: float = 0.4
    place: int = 0

    async def next(self, notes: Notes) -> Next:
        """A name of the question first, then the best bridge; each asked once."""
        return next(itertools.islice(self._offered(notes), self.place, None), Next(reason="no name left to follow"))

    def _offered(self, notes: Notes) -> Iterator[Next]:
        for name in open_names(notes):
            if name.casefold() not in notes.asked and self.weight.rarity(content_words(name)) >= self.rare:
                yield Next(name, f"nothing read is about {name}")
        rest = " ".join(uncovered(notes))
        for bridge in bridges(notes, self.weight):
            if bridge.worth < self.least:
                break
            if not any(_within(_plain(bridge.name), _plain(asked)) for asked in notes.asked):
                yield Next(f"{bridge.name} {rest}".strip(), f"{bridge.document} leads to {bridge.name}")


def open_names(notes: Notes) -> list[str]:
    """Names of the question that are no title of what was read, nor words of one, nor hold one."""
    titles = [_plain(document.title) for document in notes.documents]
    names = [name for name in names_in(notes.question.text) if len(name.split()) <= _NAME_WORDS]
    return [
        name
        for name in names
        if not any(_within(_plain(name), title) or _within(title, _plain(name)) for title in titles if title)
    ]


def uncovered(notes: Notes) -> list[str]:
    """Words of the question that nothing read holds, in its order."""
    held = {word for document in notes.documents for word in content_words(document.text)}
    return list(dict.fromkeys(word for word in content_words(notes.question.text) if word not in held))


def bridges(notes: Notes, weight: WordWeights) -> list[Bridge]:
    """Names in what was read which neither the question nor a title of it holds, best first; dates are none. The worth of a name is the share of the
    question's weight in its sentence and title, less for documents of low ranks and early hops, times the rarity of what it adds."""
    asked = set(content_words(notes.question.text))
    whole = sum(weight[word] for word in asked) or 1.0
    titles = {_plain(document.title) for document in notes.documents}
    found: dict[str, Bridge] = {}
    for late, step in enumerate(reversed(notes.steps)):
        for rank, hit in enumerate(step.read):
            document = hit.document
            for text in _sentences(document):
                held = asked & set(content_words(f"{document.title} {text}"))
                worth = sum(weight[word] for word in held) / whole / math.log2(2 + rank) / (1 + 0.25 * late)
                for name in names_in(text):
                    plain = _plain(name)
                    new = set(content_words(name)) - asked
                    if not new - _DATES or plain in titles or len(name.split()) > _NAME_WORDS or new & _DATES:
                        continue
                    own = worth * weight.rarity(new)
                    if plain not in found or found[plain].worth < own:
                        found[plain] = Bridge(name, own, document.title)
    return sorted(found.values(), key=lambda bridge: -bridge.worth)


def _sentences(document: Document) -> list[str]:
    """Lines, or what a full stop ends: near enough to see which name stands beside which words."""
    body = document.text.removeprefix(document.title).strip()
    return [text for line in body.split("\n") for text in _ENDED.split(line) if text.strip()]


def _within(few: str, many: str) -> bool:
    """Whether words stand among others, one behind the other, the last of them perhaps with an ending: a plural, a misspelt name."""
    if not few:
        return False
    ending = rf"\w{{0,{_ENDING}}}" if len(few.split()[-1]) >= _LONG else ""
    return re.search(rf"\b{re.escape(few)}{ending}\b", many) is not None


def _plain(title: str) -> str:
    """A title without what stands in brackets after it."""
    return " ".join(re.findall(r"\w+", re.sub(r"\s*\([^)]*\)\s*$", "", title).casefold()))
