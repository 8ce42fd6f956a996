"""Does a verifier tell true citations from false ones? Sentences of experts with the passages that they cite (ScholarQA-Multi), against four grades of
false pairs: a passage of another answer (random), one of the same answer that the sentence does not cite (hard), the sentence with one number
altered, the sentence negated.

A topic is an answer with a citation; `auroc_*` is the share of its (true, false) pairs that a method orders right, ties half. A method that decides has a threshold: the
tenth percentile of the true pairs of the training half, which costs a tenth in false alarms there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import ClassVar, Final, Protocol

from litrag.agents.entities import WordWeights
from litrag.core.errors import BadInput, UnknownName
from litrag.core.paths import cache_file
from litrag.core.protocols import ForcedScoring
from litrag.core.sentences import sentences
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache, digest, place_of
from litrag.core.sync import run
from litrag.core.types import Document, Paper
from litrag.corpora import load, split_of
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.runner import Evaluation, System
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import BASE
from litrag.models.gateway import Gateway
from litrag.pipelines.support import (
    ENUMERATED,
    LEAST,
    Both,
    Coverage,
    Likelihood,
    Likeness,
    Support,
    lacking_numbers,
    opposed,
)
from litrag.pipelines.verifying import by_rule

__all__ = ["METHODS", "VERIFY", "Pair", "Verify", "altered", "claims", "least_of", "negated", "pairs_of", "told_claims"]

_CITED: Final = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]")
_LEADING: Final = re.compile(r"^\s*((?:\[\d+(?:\s*,\s*\d+)*\][\s.]*)+)")
_NUMBER: Final = re.compile(r"(?<![\w.\[])\d+(?:[.,]\d+)*(?![\w\]])")
_AUXILIARY: Final = re.compile(
    r"\b(is|are|was|were|can|could|will|would|should|may|might|has|have|had|does|do|did)\b(\s+not\b)?", re.IGNORECASE
)
_FALSE: Final = ("random", "hard", "number", "negated")
_ALARMS: Final = 0.1  # false alarms that the threshold costs on the training half


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence, a passage, what became of them (true, or one of the four grades), the answer's passages that it does not cite then (`others`:
    of a false pair the true source is one), those that neither it nor the expert cites for it (`strangers`), and those that it cites beside this one
    (`fellows`)."""

    sentence: str
    source: str
    grade: str
    others: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    fellows: tuple[str, ...] = ()


def claims(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """The sentences that cite, with the numbers cited; markers that follow a full stop belong to the sentence before it."""
    found: list[tuple[str, tuple[int, ...]]] = []
    for span in sentences(text):
        sentence = span.text
        if (leading := _LEADING.match(sentence)) and found:
            before, cited = found[-1]
            found[-1] = (before, (*cited, *_cited(leading[1])))
            sentence = sentence[leading.end() :]
        if sentence.strip():
            found.append((" ".join(_CITED.sub("", sentence).split()), _cited(sentence)))
    return [(sentence, tuple(dict.fromkeys(cited))) for sentence, cited in found if cited and len(sentence.split()) > 3]


def told_claims(text: str, passages: int) -> list[tuple[str, list[int]]]:
    """The sentences that cite, with the places, from 0, of those of its passages that they cite. An answer that numbers from 1 is read so."""
    told = claims(text)
    shift = int(any(passages in cited for _, cited in told) and not any(0 in cited for _, cited in told))
    return [(sentence, [n - shift for n in cited if 0 <= n - shift < passages]) for sentence, cited in told]


def least_of(scores: Sequence[float]) -> float:
    """The score below which the share of false alarms lies, of true pairs' scores."""
    return sorted(scores)[int(_ALARMS * len(scores))]


def _cited(text: str) -> tuple[int, ...]:
    return tuple(int(number) for group in _CITED.findall(text) for number in group.split(","))


def altered(sentence: str) -> str:
    """The sentence with its first number changed in one digit, that which counts the sentence ("(3) ...") left aside; "" where it has none."""
    counted = ENUMERATED.match(sentence)
    match = _NUMBER.search(sentence, counted.end() if counted else 0)
    if match is None:
        return ""
    old = match[0]
    moved = str((int(old[0]) + 1 + int(place_of(sentence) * 8)) % 10) if len(old) > 1 or old != "0" else "7"
    new = (moved if moved != "0" or len(old) == 1 else "9") + old[1:]
    return sentence[: match.start()] + (new if new != old else f"{old}7") + sentence[match.end() :]


def negated(sentence: str) -> str:
    """The sentence with its first auxiliary negated, or no longer so; "" where it has none."""
    match = _AUXILIARY.search(sentence)
    if match is None:
        return ""
    return sentence[: match.end(1)] + ("" if match[2] else " not") + sentence[match.end() :]


def pairs_of(topic: Topic, passages: Sequence[Document], strangers: Sequence[Document]) -> list[Pair]:
    """The pairs of an answer; `passages` are its own in the order that it numbers them, `strangers` those of others. An answer that numbers from 1
    is read so."""
    found: list[Pair] = []
    for sentence, cited in told_claims(topic.answers[0], len(passages)):
        texts = tuple(document.text for document in passages)
        others = tuple(text for place, text in enumerate(texts) if place not in cited)
        for number in cited:
            source = texts[number]
            fellows = tuple(texts[place] for place in cited if place != number)
            found.append(Pair(sentence, source, "true", others, others, fellows))
            stranger = strangers[int(digest([sentence, number])[:12], 16) % len(strangers)]
            found.append(Pair(sentence, stranger.text, "random", texts, others, fellows))
            for grade, changed in (("number", altered(sentence)), ("negated", negated(sentence))):
                found += [Pair(changed, source, grade, others, others, fellows)] if changed else []
        for other in others if cited else ():
            rest = tuple(text for text in others if text != other)
            unnamed = tuple(text for text in texts if text != other)
            fellows = tuple(texts[place] for place in cited[1:])  # the first is what was swapped
            found.append(Pair(sentence, other, "hard", unnamed, rest, fellows))
    return found


@dataclass
class _Bench:
    dataset: Dataset
    options: EvalOptions
    _pairs: dict[str, Mapping[str, list[Pair]]] = field(default_factory=dict)

    @cached_property
    def documents(self) -> Mapping[str, Document]:
        return {document.id: document for document in self.dataset.corpus()}

    @cached_property
    def weight(self) -> WordWeights:
        return WordWeights.of(document.text for document in self.documents.values())

    def pairs(self, dataset: Dataset) -> Mapping[str, list[Pair]]:
        """Topic id -> pairs."""
        if dataset.split not in self._pairs:
            found = {}
            for topic in dataset.topics:
                own = [self.documents[name] for name in topic.facts["passages"]]
                strangers = [document for name, document in self.documents.items() if name not in topic.relevant]
                found[topic.id] = pairs_of(topic, own, strangers)
            self._pairs[dataset.split] = found
        return self._pairs[dataset.split]

    @cached_property
    def learned(self) -> list[Pair]:
        """The pairs that thresholds come from."""
        body, split = split_of(self.options.dataset or "scholarqa-multi:test")
        if split != "test":
            raise BadInput(f"thresholds come from {body}:train; evaluate {body}:test")
        return [pair for pairs in self.pairs(load(f"{body}:train")).values() for pair in pairs]

    @cached_property
    def both(self) -> Both:
        """Words and cosine."""
        return Both(Coverage(self.weight), self.likeness)

    @cached_property
    def gateway(self) -> Gateway:
        settings = self.options.settings or load_settings()
        settings = settings.model_copy(update={"support": "likelihood"})
        if settings.role_model("support") is None:
            settings = settings.model_copy(update={"support_model": BASE})
        return Gateway(settings, cache=RequestCache(cache_file()))

    @cached_property
    def likeness(self) -> Likeness:
        return Likeness(self.gateway.embedder())

    @cached_property
    def likelihood(self) -> Likelihood:
        return Likelihood(self.gateway.resolve("support", needs=ForcedScoring))


@dataclass(frozen=True, slots=True)
class _Alone:
    """Scores of pairs, whatever else the text cites."""

    support: Support

    async def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        return await self.support.score([(pair.sentence, pair.source) for pair in pairs])


@dataclass(frozen=True, slots=True)
class _Against:
    """Scores against the other sources of the text, the true one among them where a pair is false; `blind` leaves that out."""

    both: Both
    blind: bool = False

    async def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        others = [pair.strangers if self.blind else pair.others for pair in pairs]
        return await self.both.against([(pair.sentence, pair.source) for pair in pairs], others)


@dataclass(frozen=True, slots=True)
class _Fewest:
    """A control: what the number of other sources alone gives away."""

    async def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        return [-float(len(pair.others)) for pair in pairs]


@dataclass(frozen=True, slots=True)
class _Ruled:
    """1 where a rule finds no fault; its threshold is between."""

    least: ClassVar = 0.5

    fault: Callable[[str, str], bool]

    async def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        return [float(not self.fault(pair.sentence, pair.source)) for pair in pairs]


@dataclass(frozen=True, slots=True)
class _Shipped:
    """What a review does without a verify model: the rules, over all that the sentence cites, then `both` with the threshold that ships."""

    both: Both
    least: ClassVar = LEAST

    async def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        values = await _Alone(self.both).score(pairs)
        return [-1.0 if self._faulty(pair) else value for pair, value in zip(pairs, values, strict=True)]

    @staticmethod
    def _faulty(pair: Pair) -> bool:
        cited = [Paper("", "", text) for text in (pair.source, *pair.fellows)]
        return by_rule(pair.sentence, "", "", cited[0], cited).label == "unsupported"


@dataclass(frozen=True, slots=True)
class _Length:
    """A control: the longer the source, the better."""

    async def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        return [float(len(pair.source)) for pair in pairs]


class _Judge(Protocol):
    async def score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        """Greater: rather true."""


METHODS: Final[Mapping[str, Callable[[_Bench], _Judge]]] = {
    "length": lambda bench: _Length(),
    "numbers": lambda bench: _Ruled(lambda sentence, source: bool(lacking_numbers(sentence, source))),
    "negation": lambda bench: _Ruled(lambda sentence, source: opposed(sentence, source, bench.weight)),
    "coverage": lambda bench: _Alone(Coverage(bench.weight)),
    "likeness": lambda bench: _Alone(bench.likeness),
    "both": lambda bench: _Alone(bench.both),
    "shipped": lambda bench: _Shipped(bench.both),
    "against": lambda bench: _Against(bench.both),
    "against-blind": lambda bench: _Against(bench.both, blind=True),
    "fewest": lambda bench: _Fewest(),
    "query-likelihood": lambda bench: _Alone(bench.likelihood),
}


class _Judging:
    def __init__(self, bench: _Bench, made: Callable[[_Bench], _Judge]) -> None:
        self._bench, self._judge = bench, made(bench)
        learned = [pair for pair in bench.learned if pair.grade == "true"]
        fixed = getattr(self._judge, "least", None)
        self._threshold = least_of(run(self._judge.score(learned))) if fixed is None else fixed

    async def answer(self, topic: Topic) -> Answer:
        pairs = self._bench.pairs(self._bench.dataset)[topic.id]
        scores = await self._judge.score(pairs)
        by_grade: dict[str, list[float]] = {}
        for pair, score in zip(pairs, scores, strict=True):
            by_grade.setdefault(pair.grade, []).append(score)
        true = by_grade["true"]
        metrics = {"false_alarms": _share(true, self._threshold)}
        for grade in _FALSE:
            if false := by_grade.get(grade):  # not every answer has numbers
                metrics[f"auroc_{grade}"] = fmean(float(t > f) + 0.5 * (t == f) for t in true for f in false)
                metrics[f"caught_{grade}"] = _share(false, self._threshold)
        return Answer(metrics, {}, {"pairs": len(pairs)})


def _share(scores: Sequence[float], threshold: float) -> float:
    return fmean(float(score < threshold) for score in scores)


class Verify:
    """`litrag eval verify`."""

    methods: Mapping[str, object] = METHODS

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Methods over answers with citations. Raises UnknownName, BadInput, EnvironmentFault."""
        dataset = load(options.dataset or "scholarqa-multi:test").sample(options.n, options.seed)
        bench = _Bench(dataset, options)
        kept = tuple(
            topic for topic in dataset.topics if any(p.grade == "true" for p in bench.pairs(dataset)[topic.id])
        )
        dataset = bench.dataset = replace(dataset, topics=kept)
        names = options.methods or tuple(METHODS)
        for name in names:
            if name not in METHODS:
                raise UnknownName("method", name, METHODS)
        systems = [System(name, lambda name=name: _Judging(bench, METHODS[name])) for name in dict.fromkeys(names)]  # type: ignore[misc]
        return Evaluation("verify", dataset, tuple(systems), options.seed, {"false_alarms": _ALARMS})

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Nothing more."""
        return ()


VERIFY: Final = Verify()
