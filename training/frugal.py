"""A stop classifier for `agents.loop`: what FrugalRAG (arXiv 2507.07634) learns by reinforcement, read off features that are known at a hop.

From trajectories with the whole budget, each hop before the last is an example: its features, and whether stopping there would have lost a document
that a later hop found. A logistic regression gives the probability that it would not; the threshold is the one with the fewest searches that keeps a
share `target` of the recall of the whole budget, by the probabilities of classifiers that have not seen the trajectory or one that shares a needed
document. It trains in seconds. `litrag train frugal` makes the trajectories, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Final, Self

from pydantic import Field

from litrag.agents.entities import WordWeights
from litrag.agents.hops import EntityHops
from litrag.agents.loop import Notes, SearchAgent
from litrag.agents.stops import FEATURES, Controller, features
from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.store import digest, place_of
from litrag.core.sync import run
from litrag.core.types import Document
from litrag.corpora import load
from litrag.corpora.types import Dataset, Topic
from litrag.exports.records import Record
from litrag.retrievers.bm25 import BM25, bm25_over
from litrag.training.kit import Built, Fitted, Job

__all__ = [
    "FrugalSettings",
    "Reliability",
    "Trail",
    "chances_out_of_fold",
    "components",
    "fitted_controller",
    "frugal",
    "questions_of",
    "stopped_at",
    "title_recall",
    "titled",
    "trails_of",
]


CONTROLLER: Final = "controller.json"
_FOLDS: Final = 5
_BINS: Final = 10


@dataclass(frozen=True)
class Trail:
    """A question's whole trajectory and its recall after each search, never falling; `group` is what questions with a gold document in common
    share, `idf` what `features` take."""

    notes: Notes
    recalls: tuple[float, ...]
    group: str = ""
    idf: WordWeights = field(default_factory=WordWeights, repr=False)

    @cached_property
    def rows(self) -> tuple[tuple[float, ...], ...]:
        """The features after each search but the last, each from the notes as they were then."""
        return tuple(features(self.notes.first(hop), self.idf) for hop in range(1, len(self.recalls)))


class FrugalSettings(Record):
    """The recipe's own settings (--set)."""

    searches: int = Field(default=6, ge=2, description="Most searches of a trajectory.")
    k: int = Field(default=6, ge=1, description="Documents read of the first search.")
    further: int = Field(default=1, ge=1, description="Documents read of each later search.")
    target: float = Field(default=0.98, gt=0, le=1, description="Share of the whole budget's recall to keep.")
    penalty: float = Field(default=1.0, ge=0, description="L2 penalty of the weights.")


def frugal(job: Job) -> Built:
    """The recipe. `dataset` is a data set of questions with needed documents (hotpotqa:train). The artefact is model/controller.json. Raises
    BadInput, UnknownName."""
    own = job.config.of(FrugalSettings)
    data = load(job.config.dataset)
    questions = questions_of(data, job.config.dataset)
    documents = list(data.corpus())
    idf = WordWeights.of(document.text for document in documents)
    agent = SearchAgent(titled(documents), EntityHops(idf), max_searches=own.searches, k=own.k, further=own.further)
    groups = components(questions)
    held = [topic for topic in questions if place_of(groups[topic.id]) < job.config.held_out]
    learned = [topic for topic in questions if place_of(groups[topic.id]) >= job.config.held_out]
    trails = run(trails_of(agent, learned, groups, idf))
    job.listen(Event("train", f"{len(trails)} trajectories"))
    try:
        controller = fitted_controller(trails, target=own.target, penalty=own.penalty)
    except ValueError as error:
        raise BadInput(f"{job.config.dataset}: {error}") from error
    judged = run(trails_of(agent, held, groups, idf))
    ends = [stopped_at(controller, trail) for trail in judged]
    told = Reliability.of(trails, chances_out_of_fold(trails, own.penalty))
    facts = {
        "questions": len(learned),
        "held_out": len(held),
        "brier_percent": round(100 * told.brier),
        "brier_of_mean_percent": round(100 * told.brier_of_mean),
        "calibration_error_percent": round(100 * told.calibration_error),
    }
    if judged:
        kept = fmean(t.recalls[end - 1] for t, end in zip(judged, ends, strict=True))
        whole = fmean(t.recalls[-1] for t in judged)
        facts |= {
            "searches_percent": round(100 * fmean(ends)),
            "recall_kept_percent": round(100 * kept / (whole or 1.0)),
        }

    def save(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / CONTROLLER).write_text(controller.to_json(), encoding="utf-8")

    return Built(Fitted(), save, facts=facts, file=CONTROLLER)


def questions_of(data: Dataset, spec: str) -> list[Topic]:
    """The questions that an agent can learn from, of the data set that goes by `spec`. Raises BadInput where there is none."""
    found = [topic for topic in data.topics if topic.relevant]
    if not found:
        raise BadInput(f"data set {spec}: no question with needed documents; use hotpotqa:train")
    return found


def titled(documents: Iterable[Document]) -> BM25:
    """BM25 over title, title once more, and text: names ask for titles. It gives the documents as they are."""
    known = {document.id: document for document in documents}
    found = bm25_over(replace(d, text=f"{d.title}\n{d.text}") for d in known.values())
    return BM25(found.index, lambda ids: [known[name] for name in ids])


async def trails_of(
    agent: SearchAgent, topics: Sequence[Topic], groups: Mapping[str, str], idf: WordWeights
) -> list[Trail]:
    """A trajectory a topic, in order."""
    found = []
    for topic in topics:
        notes = (await agent.run(topic.query)).notes
        recalls = tuple(title_recall(topic, notes.first(hop)) for hop in range(1, len(notes.steps) + 1))
        found.append(Trail(notes, recalls, groups[topic.id], idf))
    return found


def title_recall(topic: Topic, notes: Notes) -> float:
    """The share of a topic's needed documents that was read."""
    return len(set(topic.relevant) & {d.id for d in notes.documents}) / max(1, len(topic.relevant))


def components(topics: Sequence[Topic]) -> Mapping[str, str]:
    """Topic id -> the name of its component: topics that share a needed document are in one."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for topic in topics:
        for name, grade in topic.relevant.items():
            if grade > 0:
                parent[root(f"d {name}")] = root(f"t {topic.id}")
    return {topic.id: digest(root(f"t {topic.id}")) for topic in topics}


def fitted_controller(trails: Sequence[Trail], *, target: float = 0.98, penalty: float = 1.0) -> Controller:
    """The classifier, with its threshold. Raises ValueError without two trails of more than one search, or a target outside (0, 1]."""
    if not 0 < target <= 1:
        raise ValueError(f"target {target} must be in (0, 1]")
    if sum(len(trail.rows) for trail in trails) < 2:
        hops = sum(len(trail.rows) for trail in trails)
        raise ValueError(f"{len(trails)} trajectories with {hops} hops to decide: give more questions or searches")
    chances = chances_out_of_fold(trails, penalty)
    return replace(_weighed(trails, penalty), threshold=_threshold(trails, chances, target))


def chances_out_of_fold(trails: Sequence[Trail], penalty: float = 1.0) -> list[list[float]]:
    """For each trail the probability after each search but the last that no later one adds a needed document, by a classifier that has seen neither the
    trail nor one that shares a needed document."""
    parts = [int(place_of(f"threshold {trail.group}") * _FOLDS) for trail in trails]
    chances: list[list[float]] = [[] for _ in trails]
    for part in set(parts):
        others = [trail for trail, place in zip(trails, parts, strict=True) if place != part and trail.rows]
        judge = _weighed(others or trails, penalty)
        for place, trail in enumerate(trails):
            if parts[place] == part:
                chances[place] = [judge.chance_of(row) for row in trail.rows]
    return chances


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far probabilities can be taken at their word: their Brier score (mean squared error), that of the mean outcome given every time, and the expected
    calibration error over ten bins of equal width (Naeini et al., AAAI 2015), each in [0, 1], 0 the best."""

    brier: float
    brier_of_mean: float
    calibration_error: float

    @classmethod
    def of(cls, trails: Sequence[Trail], chances: Sequence[Sequence[float]]) -> Self:
        """Of the probabilities of `chances_out_of_fold`. Raises ValueError without any."""
        pairs = [
            pair for trail, row in zip(trails, chances, strict=True) for pair in zip(row, _safe(trail), strict=True)
        ]
        if not pairs:
            raise ValueError("no decision to judge: give trajectories of more than one search")
        base = fmean(safe for _, safe in pairs)
        bins: dict[int, list[tuple[float, bool]]] = {}
        for chance, safe in pairs:
            bins.setdefault(min(_BINS - 1, int(chance * _BINS)), []).append((chance, safe))
        gaps = (
            len(held) * abs(fmean(chance for chance, _ in held) - fmean(safe for _, safe in held))
            for held in bins.values()
        )
        return cls(
            fmean((chance - safe) ** 2 for chance, safe in pairs),
            fmean((base - safe) ** 2 for _, safe in pairs),
            sum(gaps) / len(pairs),
        )


def _safe(trail: Trail) -> list[bool]:
    """After each search but the last, whether no later one finds more."""
    return [recall >= trail.recalls[-1] for recall in trail.recalls[:-1]]


def _weighed(trails: Sequence[Trail], penalty: float) -> Controller:
    """The logistic regression; its threshold is still to be set."""
    import numpy as np
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    rows = [row for trail in trails for row in trail.rows]
    safe = [outcome for trail in trails for outcome in _safe(trail)]
    values, labels = np.asarray(rows, dtype=float), np.asarray(safe, dtype=float)
    means, spread = values.mean(axis=0), values.std(axis=0)
    scaled = np.hstack([(values - means) / np.where(spread > 0, spread, 1.0), np.ones((len(values), 1))])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = scaled @ weights
        total = np.logaddexp(0, margins).sum() - (labels * margins).sum()
        pulled = np.append(weights[:-1], 0.0)  # the bias is free
        chances = 1 / (1 + np.exp(-margins))
        return float(total + penalty / 2 * (pulled**2).sum()), scaled.T @ (chances - labels) + penalty * pulled

    weights = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B").x
    named, mean, deviation = (
        {name: float(value) for name, value in zip(FEATURES, part, strict=True)}
        for part in (weights[:-1], means, spread)
    )
    return Controller(named, mean, deviation, float(weights[-1]), 1.0, trails[0].idf)


def stopped_at(controller: Controller, trail: Trail) -> int:
    """After how many searches of the trail the controller stops."""
    safe = (hop for hop, row in enumerate(trail.rows, start=1) if controller.chance_of(row) >= controller.threshold)
    return next(safe, len(trail.recalls))


def _threshold(trails: Sequence[Trail], chances: Sequence[Sequence[float]], target: float) -> float:
    """The one with the fewest searches of those that keep the share; 2, which never stops, where none does."""
    wanted = target * fmean(trail.recalls[-1] for trail in trails)
    best, searches = 2.0, float("inf")
    for threshold in sorted({chance for row in chances for chance in row}):
        ends = [next((hop for hop, c in enumerate(row, 1) if c >= threshold), len(row) + 1) for row in chances]
        if fmean(t.recalls[end - 1] for t, end in zip(trails, ends, strict=True)) >= wanted and fmean(ends) < searches:
            best, searches = threshold, fmean(ends)
    return best
