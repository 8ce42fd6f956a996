"""Judges of ambiguous queries against labels made by hand: 50 queries of three data sets, by their ids (labels/ambiguous.json).

Labelled 1 is a query that can mean several things to somebody who works in the field of its collection, or that cannot be understood without what
was said before."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from litrag.core.errors import BadInput, UnknownName
from litrag.core.paths import cache_file
from litrag.core.protocols import NextTokenLogprobs
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache
from litrag.corpora import load
from litrag.corpora.ranking import as_keyphrase
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.runner import Evaluation, System
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import BASE
from litrag.models.gateway import Gateway
from litrag.rewriters.ambiguity import AmbiguityModel, ambiguous, leans, said

__all__ = ["AMBIGUITY", "Ambiguity", "labelled"]

LABELS: Final = Path(__file__).with_name("labels") / "ambiguous.json"
_Judge: TypeAlias = Callable[[str], Awaitable[bool]]


def labelled(source: str = "") -> Dataset:
    """The labelled queries as topics, the label in `facts`; those of one data set alone where its name is given. Raises EnvironmentFault without LITRAG_DATA,
    BadInput for an id that is gone, or a data set without labels."""
    topics: list[Topic] = []
    known_labels = json.loads(LABELS.read_text(encoding="utf-8"))
    chosen = {spec: labels for spec, labels in known_labels.items() if source in ("", spec.partition(":")[0])}
    if not chosen:
        names = ", ".join(spec.partition(":")[0] for spec in known_labels)
        raise BadInput(f"no query of {source} is labelled; ambiguous:NAME takes one of {names}")
    for spec, labels in chosen.items():
        short = spec.startswith("acl-keyphrases")  # extracting all phrases takes half a minute, the labelled ones none
        known = {topic.id: topic for topic in load(spec.replace("acl-keyphrases", "acl") if short else spec).topics}
        if lacking := sorted(set(labels) - set(known)):
            raise BadInput(f"{spec} lacks {lacking[0]}, which {LABELS.name} labels; is the data set whole?")
        for name, label in labels.items():
            topic = as_keyphrase(known[name]) if short else known[name]
            topics.append(replace(topic, id=f"{spec}/{name}", facts={"ambiguous": bool(label)}))
    return Dataset("ambiguous", source or "all", tuple(topics), lambda: iter(()))


def _plain(rule: Callable[[str], bool]) -> Callable[[EvalOptions], _Judge]:
    async def judge(text: str) -> bool:
        return rule(text)

    return lambda options: judge


def _model(options: EvalOptions) -> _Judge:
    settings = options.settings or load_settings()
    if not settings.role_model("rewrite"):
        settings = settings.model_copy(update={"rewrite_model": BASE})
    gateway = Gateway(settings, cache=RequestCache(cache_file()))
    return AmbiguityModel(gateway.resolve("rewrite", needs=NextTokenLogprobs)).judge


METHODS: Final[Mapping[str, Callable[[EvalOptions], _Judge]]] = {
    "always": _plain(lambda text: True),
    "rules": _plain(ambiguous),
    "few-words": _plain(lambda text: len(said(text)) <= 3),
    "leans": _plain(leans),
    "model": _model,
}


@dataclass(frozen=True, slots=True)
class _Judging:
    judge: _Judge

    async def answer(self, topic: Topic) -> Answer:
        found = await self.judge(topic.query.text)
        return Answer({"agreement": float(found == topic.facts["ambiguous"]), "judged": float(found)})


class Ambiguity:
    """`litrag eval ambiguity`."""

    methods: Mapping[str, object] = METHODS

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Judges over the labelled queries. Raises UnknownName, BadInput, EnvironmentFault."""
        own, _, source = (options.dataset or "ambiguous").partition(":")
        if own != "ambiguous":
            raise BadInput(f"--dataset {options.dataset}: this eval has its own labelled queries; leave it out")
        names = dict.fromkeys(("always", *(options.methods or ("rules", "few-words", "leans"))))
        for name in names:
            if name not in METHODS:
                raise UnknownName("judge of ambiguity", name, METHODS)
        dataset = labelled(source).sample(options.n, options.seed)
        systems = [System(name, lambda name=name: _Judging(METHODS[name](options))) for name in names]  # type: ignore[misc]
        return Evaluation("ambiguity", dataset, tuple(systems), options.seed)

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Nothing more."""
        return ()


AMBIGUITY: Final = Ambiguity()
