"""How far a source says what a sentence says: by words, by an embedder's cosine to its nearest sentences, by both, by a language model's likelihood, by a
cross-encoder; and the rules that need no degree: numbers that the source lacks, a negation that one of the two has alone.

Both together are a logistic regression; its coefficients were fitted to the training half of ScholarQA-Multi's experts (`litrag eval verify`)."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

from litrag.agents.entities import WordWeights, content_words
from litrag.core.lengths import measure_of
from litrag.core.names import KEY
from litrag.core.prompt import neutralised
from litrag.core.protocols import Embedder, ForcedScoring, PairScoring
from litrag.core.quotes import APART
from litrag.core.sentences import sentences
from litrag.core.sync import all_or_first_error
from litrag.core.types import Message

__all__ = [
    "ENUMERATED",
    "LEAST",
    "Both",
    "Coverage",
    "Likelihood",
    "Likeness",
    "Relevance",
    "Support",
    "lacking_numbers",
    "numbers",
    "opposed",
    "plain",
]

_MARKER: Final = re.compile(rf"\s*(?:\[@[^\]]*\]|@{KEY}|@\w+|\[\d+(?:\s*[,;–-]\s*\d+)*\])")
_NUMBER: Final = re.compile(
    r"(?<![\w.])(?:\d+(?:[.,]\d+)*|\.\d+)(?:st|nd|rd|th)?(?=[xkKMB]?(?!\w|[.,]\d))"
)  # 3.5x, 70B
ENUMERATED: Final = re.compile(r"^\s*(?:\(\d{1,2}\)|\d{1,2}[.)])\s+")
_LIST: Final = r"\d+(?:[.,]\d+)*[xkKMB]?(?:\s*(?:[,/&–-]|and|or|to)\s*-?\d+(?:[.,]\d+)*[xkKMB]?)*"
_PLACED: Final = re.compile(
    r"\b(?:tables?|figures?|figs?\.|sections?|secs?\.|equations?|eqs?\.|chapters?|appendix|line|step)\s*\(?\d+(?:\.\d+)*\)?",
    re.IGNORECASE,
)  # where something stands, in the text that cites
_VERSION: Final = re.compile(
    r"(?<![\w.])([A-Za-z][\w-]*?)-(\d+(?:[.,]\d+)*)(?=[xkKMB]?(?!\w|[.,]\d))"
)  # GPT-4, LLaMA-65B
# what a source may spell out that a sentence writes in figures; "one" is often none
_SPELT: Final[Mapping[str, tuple[str, ...]]] = {
    str(number): words
    for number, words in enumerate(
        zip(
            "two three four five six seven eight nine ten".split(),
            "second third fourth fifth sixth seventh eighth ninth tenth".split(),
            strict=True,
        ),
        start=2,
    )
}
_POWERS: Final = {"k": 3, "thousand": 3, "m": 6, "million": 6, "b": 9, "billion": 9}
_SCALED: Final = re.compile(r"([kKMB])\b|[ \u00a0-]?(thousand|million|billion)\b", re.IGNORECASE)
_NEGATION: Final = re.compile(
    r"\b(?:not|cannot|no|never|neither|nor|without|fail(?:s|ed)? to|lacks?)\b|n't\b", re.IGNORECASE
)
_NEAR: Final = 0.5  # share of a sentence's worth in one of the source's from which the two speak of the same
_COVERAGE, _COSINE, _BIAS = 4.2, 2.4, -2.8  # logits a unit of coverage and of cosine
_RIVAL: Final = 0.5  # share of the best other source's score that counts against one


LEAST: Final = 0.279  # of `Both`: below it lies a tenth of the true pairs of the training half
_TOKENS: Final = 300  # of a source that a model is shown


class Support(Protocol):
    """What scores pairs of a sentence and a source."""

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """A number in [0, 1] a pair, greater where the source says more of the sentence. Raises what a model raises."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of the sentence's worth in words (stemmed, by inverse document frequency) that the source holds."""

    weight: WordWeights = field(default_factory=WordWeights)

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """0 for a sentence without words."""
        return [self.of(sentence, source) for sentence, source in pairs]

    def of(self, sentence: str, source: str) -> float:
        """One pair's."""
        stems = {_stem(word): self.weight[word] for word in content_words(plain(sentence))}
        held = {_stem(word) for word in content_words(source)}
        whole = sum(stems.values())
        return sum(worth for stem, worth in stems.items() if stem in held) / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """The greatest cosine of the sentence to one of the source's sentences, to two in a row, or to the whole; negative ones as 0."""

    embedder: Embedder

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """Raises ModelFault, BudgetSpent."""
        asked = {text: place for place, text in enumerate(dict.fromkeys(plain(sentence) for sentence, _ in pairs))}
        parts = {source: _windows(source) for source in dict.fromkeys(source for _, source in pairs)}
        shown = {text: place for place, text in enumerate(dict.fromkeys(t for texts in parts.values() for t in texts))}
        if not asked or not shown:
            return [0.0] * len(pairs)
        queries = await self.embedder.embed(list(asked), kind="document")
        vectors = await self.embedder.embed(list(shown), kind="document")
        cosines = queries @ vectors.T
        return [
            max((max(0.0, min(1.0, float(cosines[asked[plain(s)], shown[t]]))) for t in parts[source]), default=0.0)
            for s, source in pairs
        ]


@dataclass(frozen=True, slots=True)
class Both:
    """The chance, by coverage and likeness, that the pair is an expert's and not a swapped one."""

    coverage: Coverage
    likeness: Likeness

    @classmethod
    def over(cls, texts: Iterable[str], embedder: Embedder) -> Both:
        """With words weighted by the texts."""
        return cls(Coverage(WordWeights.of(texts)), Likeness(embedder))

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """Raises ModelFault, BudgetSpent."""
        return [_logistic(value + _BIAS) for value in await self.evidence(pairs)]

    async def evidence(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The weighted sum, from 0 to 6.6. Raises ModelFault, BudgetSpent."""
        words, cosines = await self.coverage.score(pairs), await self.likeness.score(pairs)
        return [_COVERAGE * word + _COSINE * cosine for word, cosine in zip(words, cosines, strict=True)]

    async def against(self, pairs: Sequence[tuple[str, str]], others: Sequence[Sequence[str]]) -> list[float]:
        """The evidence of each pair less half of the best that the other sources of its text have for the sentence: a citation that belongs to another
        source is caught where both speak of the same. A verifier does not use it: it gains where the right source is among the others, loses where it is
        not, and was measured with five of them. Raises ModelFault, BudgetSpent."""
        rivals = [(sentence, other) for (sentence, _), rest in zip(pairs, others, strict=True) for other in rest]
        found = await self.evidence([*pairs, *rivals])
        own, left = found[: len(pairs)], iter(found[len(pairs) :])
        best = [max((next(left) for _ in rest), default=0.0) for rest in others]
        return [value - _RIVAL * most for value, most in zip(own, best, strict=True)]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How much likelier the source makes the sentence: the logistic of the mean gain, in nats a token, of log P(sentence | source) over log P(sentence)
    (TRLM, arXiv 2412.02626, P(sentence | cited text)). .5: the source does not help."""

    model: ForcedScoring
    tokens: int = _TOKENS

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """Raises ModelFault, BudgetSpent."""
        return await all_or_first_error([self._one(plain(sentence), source) for sentence, source in pairs])

    async def _one(self, sentence: str, source: str) -> float:
        said = f" {neutralised(sentence)}"
        asked = [Message("assistant", f"Source: {part}\nStatement:") for part in _parts(neutralised(source), self)]
        found = await all_or_first_error([self.model.score([message], [said]) for message in asked])
        (alone,) = await self.model.score([Message("assistant", "Statement:")], [said])
        return _logistic(max(given.mean for (given,) in found) - alone.mean)


@dataclass(frozen=True, slots=True)
class Relevance:
    """A cross-encoder's number for sentence and source, on the model's own scale through the logistic: what is too little is for its user to say."""

    model: PairScoring
    tokens: int = _TOKENS

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """Raises ModelFault, BudgetSpent."""
        asked = [self.model.relevance(plain(one), _parts(source, self)) for one, source in pairs]
        return [_logistic(max(values)) for values in await all_or_first_error(asked)]


def _parts(source: str, by: Likelihood | Relevance) -> list[str]:
    """The source as a model is shown it: title and abstract, and each passage of a full text, cut to its tokens."""
    measure = measure_of(by.model)
    return [measure.cut(part, by.tokens) for part in source.split(APART) if part.strip()] or [""]


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def plain(sentence: str) -> str:
    """The sentence without citation markers."""
    return " ".join(_MARKER.sub("", sentence).split())


def numbers(text: str) -> list[str]:
    """The numbers of a text, without separators of thousands and endings of ordinals; .50, 0.5 and 0.50 are one."""
    return [_written(number.replace(",", "").rstrip("stndrh")) for number in _NUMBER.findall(text)]


def _written(number: str) -> str:
    whole, point, part = number.partition(".")
    return f"{whole or '0'}.{part.rstrip('0')}".rstrip(".") if point and "." not in part else number


def lacking_numbers(sentence: str, source: str, *, english: bool = True) -> list[str]:
    """The sentence's numbers that the source lacks, but for one that counts the sentence itself ("(3) ...") and those of a name ("GPT-4") of which the
    source has no other number. In another language than `english` a comma may stand where English has a point: digits alone count."""
    said = _PLACED.sub(" ", ENUMERATED.sub("", _MARKER.sub("", sentence)))
    asked, held = _written_and_whole(_VERSION.sub(" ", said)), set(numbers(source))
    if not english:
        held = {number.replace(".", "") for number in held}
        asked = [(number, whole) for number, whole in asked if number.replace(".", "") not in held]
    else:
        held |= _spelt_out(said, source)
        held |= {whole for _, whole in _written_and_whole(source)}
    return [number for number, whole in asked if not {number, whole} & held] + _versions(said, source)


def _spelt_out(sentence: str, source: str) -> set[str]:
    """Numbers of a sentence that the source has in words before the same word: "3 months" and "three months"."""
    found, told = set(), source.casefold()
    for match in _NUMBER.finditer(sentence):
        (number,) = numbers(match[0])
        after = re.match(r"[\s-]*([^\W\d_]{1,4})", sentence[match.end() :].casefold())
        behind = rf"[\s-]+{re.escape(after[1])}" if after else r"\b"
        if any(re.search(rf"\b{word}{behind}", told) for word in _SPELT.get(number, ())):
            found.add(number)
    return found


def _written_and_whole(text: str) -> list[tuple[str, str]]:
    """The numbers, each as it is written and multiplied out: 1.2 and 1200000 for 1.2M and 1.2 million."""
    found = []
    for match in _NUMBER.finditer(text):
        (written,) = numbers(match[0])
        scale = _SCALED.match(text, match.end())
        power = _POWERS[(scale[1] or scale[2]).casefold()] if scale else 0
        whole = written
        if power and written.count(".") <= 1:
            whole = f"{Decimal(written).scaleb(power).normalize():f}"
        found.append((written, whole))
    return found


def _versions(sentence: str, source: str) -> list[str]:
    """Of names with a number (GPT-4) the numbers that the source does not give that name, alone or in a list ("ROUGE-1/2", "ResNet-50 and -101"), while it
    gives it another; where it does not speak of such a name, none is wrong."""
    found = []
    for name, written in _VERSION.findall(sentence):
        lists = re.findall(rf"(?<!\w){re.escape(name)}[-\s]?({_LIST})", source, re.IGNORECASE)
        told = {number for each in lists for number in numbers(each)}
        found += [number for number in numbers(written) if told and number not in told]
    return found


def opposed(sentence: str, source: str, weight: WordWeights) -> bool:
    """Whether the sentence of the source that is nearest to this one speaks of the same, and just one of the two is negated."""
    coverage = Coverage(weight)
    spoken = [span.text for span in sentences(source)]
    nearest = max(spoken, key=lambda text: coverage.of(sentence, text), default="")
    if not nearest or coverage.of(sentence, nearest) < _NEAR:
        return False
    return bool(_NEGATION.search(plain(sentence))) != bool(_NEGATION.search(nearest))


def _windows(source: str) -> tuple[str, ...]:
    spans = [span.text for part in source.split(APART) for span in sentences(part)]
    pairs = [f"{one} {two}" for one, two in itertools.pairwise(spans)]
    return tuple(dict.fromkeys([*spans, *pairs, *([source] if len(spans) > 2 else [])]))


@functools.lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


@functools.cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")
