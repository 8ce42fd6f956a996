"""Names in a text, without a model: runs of capitalised words, with the small words that names hold ("the Lord of the Rings").

What begins a sentence counts only where it goes on with another capital, or stands capitalised elsewhere in the text."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

__all__ = ["Counts", "WordWeights", "content_words", "names_in"]

_TOKEN: Final = re.compile(r"[\w&'’.-]*\w\.?|[^\w\s]")
_JOINING: Final = frozenset("of the de la le du von van for in on at to a an & 's".split())
_FUNCTION: Final = frozenset(
    "a an and are as at be been being but by can could did do does for from had has have he her hers him his how i if in into is it its may might "
    "more most no not of on or other our out over own she should so some such than that the their them then there these they this those to too "
    "under up was we were what when where which while who whom whose why will with would you your also both during between each after before".split()
)


class Counts(Protocol):
    """An index that knows in how many of its texts a word stands."""

    @property
    def rows(self) -> int:
        """How many texts there are."""

    def held_by(self, word: str) -> int:
        """How many hold the word; of one that the index leaves out (stop words, single letters), all."""


@dataclass(frozen=True)
class WordWeights:
    """What words are worth: inverse document frequencies of a collection; a word that it lacks has the greatest. Empty: all words are worth 1."""

    values: Mapping[str, float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """log(1 + texts / texts that hold a word)."""
        bags = [set(content_words(text)) for text in texts]
        frequency = Counter(word for bag in bags for word in bag)
        return cls({word: math.log(1 + len(bags) / count) for word, count in frequency.items()})

    @functools.cached_property
    def most(self) -> float:
        """The greatest worth."""
        return max(self.values.values(), default=1.0)

    def __getitem__(self, word: str) -> float:
        return self.values.get(word, self.most)

    @staticmethod
    def over(counts: Sequence[Counts]) -> WordWeights:
        """The same of collections that are indexed, word by word as they are asked for: none is read whole."""
        return _Counted(counts=tuple(counts))

    def rarity(self, words: Iterable[str]) -> float:
        """The worth of the rarest of some words over the greatest, in [0, 1]; 0 without a word."""
        return max((self[word] for word in words), default=0.0) / self.most


@dataclass(frozen=True)
class _Counted(WordWeights):
    counts: tuple[Counts, ...] = ()

    @functools.cached_property
    def most(self) -> float:
        """That of a word in one text."""
        return math.log(1 + self._texts) if self._texts else 1.0

    def __getitem__(self, word: str) -> float:
        if word not in self._known:
            held = sum(each.held_by(word) for each in self.counts)
            self._known[word] = math.log(1 + self._texts / held) if held else self.most
        return self._known[word]

    @functools.cached_property
    def _texts(self) -> int:
        return sum(each.rows for each in self.counts)

    @functools.cached_property
    def _known(self) -> dict[str, float]:
        return {}


@functools.lru_cache(maxsize=65_536)
def content_words(text: str) -> tuple[str, ...]:
    """The words that say something, case folded."""
    return tuple(word for word in re.findall(r"\w+", text.casefold()) if word not in _FUNCTION)


@functools.lru_cache(maxsize=65_536)
def names_in(text: str) -> tuple[str, ...]:
    """Names in the order of their first appearance, none twice."""
    found: dict[str, str] = {}
    tokens = [(match.group(), match.start()) for match in _TOKEN.finditer(text)]
    inner = {
        token.rstrip(".") for i, (token, _) in enumerate(tokens) if i and token[:1].isupper() and not _begins(tokens, i)
    }
    for run in _runs(tokens):
        words = [word.rstrip(".") if len(word) > 2 else word for word in run]
        if len(words) == 1 and (words[0].casefold() in _FUNCTION or (words[0] not in inner and not _known(words[0]))):
            continue
        name = " ".join(words)
        found.setdefault(name.casefold(), name)
    return tuple(found.values())


def _known(word: str) -> bool:
    """Whether a single word is a name wherever it stands: an acronym, or one with a capital or digit inside."""
    return len(word) > 1 and any(c.isupper() or c.isdigit() for c in word[1:])


def _begins(tokens: list[tuple[str, int]], place: int) -> bool:
    before = tokens[place - 1][0] if place else "."
    return before[-1:] in '.!?:;"“' and not (len(before) == 2 and before[0].isupper())


def _runs(tokens: list[tuple[str, int]]) -> Iterator[list[str]]:
    run: list[str] = []
    for place, (token, _) in enumerate(tokens):
        capital = token[:1].isupper() or (token[:1].isdigit() and bool(run))
        if capital and run and _begins(tokens, place) and token.casefold() in _FUNCTION:
            yield from _closed(run)
            run = []
        if capital:
            if not run and token.casefold() in _FUNCTION and _begins(tokens, place):
                following = tokens[place + 1][0] if place + 1 < len(tokens) else ""
                if token.casefold() not in ("the", "a") or not following[:1].isupper():
                    continue
            run.append(token)
            if token[-1] in ".!?" and len(token) > 3:
                yield from _closed(run)
                run = []
        elif run and token.casefold() in _JOINING:
            run.append(token)
        else:
            yield from _closed(run)
            run = []
    yield from _closed(run)


def _closed(run: list[str]) -> Iterator[list[str]]:
    while run and run[-1].casefold() in _JOINING:
        run = run[:-1]
    if run:
        yield run
