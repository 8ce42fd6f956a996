"""When to stop searching, by what is known at that hop: rules, and a classifier that was fitted to them (`training.frugal`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, Self

from litrag.agents.entities import WordWeights, content_words, names_in
from litrag.agents.hops import bridges, open_names, uncovered
from litrag.agents.loop import Notes, Step, Stops
from litrag.core.errors import BadInput

__all__ = ["FEATURES", "RULES", "SHIPPED", "Controller", "Covered", "NothingNew", "ScoreDrop", "features"]

# fitted to half of HotPotQA's questions (`litrag train frugal --dataset hotpotqa:train --held-out 0`): scores of BM25, six documents, then one a search
SHIPPED: Final = Path(__file__).with_name("controller.json")
FEATURES: Final = (
    "hops",
    "covered",
    "open_names",
    "names",
    "bridge",
    "bridges",
    "last_score",
    "score_drop",
    "gap",
    "repeated",
    "links",
    "comparison",
    "words",
)
_COMPARING: Final = (
    "both",
    "which",
    "same",
    "or",
    "are",
    "were",
    "is",
    "was",
    "do",
    "did",
    "more",
    "first",
    "older",
    "younger",
)


@dataclass(frozen=True, slots=True)
class ScoreDrop:
    """Stops where the best score of a hop is below `share` of the first hop's."""

    share: float = 0.5

    def stop(self, notes: Notes) -> str:
        """By the scores that ordered each search."""
        first, last = _best(notes.steps[0]), _best(notes.steps[-1])
        return "score drop" if len(notes.steps) > 1 and last < self.share * first else ""


@dataclass(frozen=True, slots=True)
class NothingNew:
    """Stops where at least `share` of what a hop would have read first was read before."""

    share: float = 1.0

    def stop(self, notes: Notes) -> str:
        """Of the last search."""
        return "nothing new" if len(notes.steps) > 1 and _repeated(notes) >= self.share else ""


@dataclass(frozen=True, slots=True)
class Covered:
    """Stops where what was read holds at least `share` of the question's words, and is about all its names."""

    share: float = 0.9

    def stop(self, notes: Notes) -> str:
        """From the first hop on."""
        words = set(content_words(notes.question.text))
        held = 1 - len(set(uncovered(notes))) / max(1, len(words))
        return "question covered" if held >= self.share and not open_names(notes) else ""


@dataclass(frozen=True, slots=True)
class Controller:
    """Stops where the calibrated probability that no later search adds a document that is needed is at least `threshold`: logistic, over FEATURES
    brought to mean 0 and deviation 1."""

    weights: Mapping[str, float]
    means: Mapping[str, float]
    deviations: Mapping[str, float]
    bias: float
    threshold: float
    idf: WordWeights = field(default_factory=WordWeights)

    @classmethod
    def load(cls, path: Path, idf: WordWeights) -> Self:
        """From the JSON that `litrag train frugal` writes; `idf` is of the collection that is searched. Raises BadInput."""
        try:
            values = json.loads(path.expanduser().read_text(encoding="utf-8"))
            return cls(**values, idf=idf)
        except (OSError, ValueError, TypeError) as error:
            raise BadInput(f"{path} is no stop classifier ({error}); `litrag train frugal` writes one") from error

    def to_json(self) -> str:
        """What `load` reads; without the collection's weights."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "idf"}
        return json.dumps(values, indent=1) + "\n"

    def chance(self, notes: Notes) -> float:
        """The probability that it is safe to stop, in (0, 1)."""
        return self.chance_of(features(notes, self.idf))

    def chance_of(self, row: Sequence[float]) -> float:
        """The same from the values of FEATURES."""
        total = self.bias
        for name, value in zip(FEATURES, row, strict=True):
            total += (
                self.weights.get(name, 0.0) * (value - self.means.get(name, 0.0)) / (self.deviations.get(name) or 1.0)
            )
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))

    def stop(self, notes: Notes) -> str:
        """From the first hop on."""
        return "controller" if self.chance(notes) >= self.threshold else ""


RULES: Final[Mapping[str, Stops]] = {
    "score-drop": ScoreDrop(),
    "nothing-new": NothingNew(),
    "covered": Covered(),
}


def features(notes: Notes, idf: WordWeights) -> tuple[float, ...]:
    """The values of FEATURES after the last step: searches so far; share of the question's words in what was read; its names that nothing read is
    about, and all its names; worth of the best bridge, and log(1 + bridges worth half of it); the last search's best score and its ratio to the
    first search's; the first search's best score over its third; the share of the last search's head that was read before; pairs of read documents
    of which one names the other's title; whether the question compares; log words."""
    words = content_words(notes.question.text)
    open_ = uncovered(notes)
    led = bridges(notes, idf)
    first, last = _best(notes.steps[0]), _best(notes.steps[-1])
    scores = _scores(notes.steps[0])
    third = scores[2] if len(scores) > 2 else 0.0
    opening = notes.question.text.casefold().split()[:1]
    return (
        float(len(notes.steps)),
        1 - len(set(open_)) / max(1, len(set(words))),
        float(len(open_names(notes))),
        float(len(names_in(notes.question.text))),
        led[0].worth if led else 0.0,
        math.log1p(sum(bridge.worth >= led[0].worth / 2 for bridge in led)) if led else 0.0,
        math.log1p(max(0.0, last)),
        last / first if first else 0.0,
        first / third if third > 0 else 2.0,
        _repeated(notes),
        float(_links(notes)),
        float(bool(opening) and opening[0] in _COMPARING),
        math.log1p(len(words)),
    )


def _links(notes: Notes) -> int:
    documents = notes.documents
    titles = [document.title.casefold() for document in documents]
    texts = [document.text.removeprefix(document.title).casefold() for document in documents]
    return sum(
        bool(title) and title in text for i, title in enumerate(titles) for j, text in enumerate(texts) if i != j
    )


def _scores(step: Step) -> Sequence[float]:
    return [hit.scores[-1].value for hit in step.found.hits if hit.scores]


def _best(step: Step) -> float:
    return max(_scores(step), default=0.0)


def _repeated(notes: Notes) -> float:
    """Share of the first hits of the last search, as many as were read, that were read in earlier ones."""
    last = notes.steps[-1]
    before = {hit.document.id for step in notes.steps[:-1] for hit in step.read}
    head = last.found.hits[: max(1, len(last.read))]
    return sum(hit.document.id in before for hit in head) / len(head) if head else 1.0
