"""CAR (arXiv 2308.16753): a retriever learns from ambiguous queries as they are and as they read once a relevant document has made their sense
clear. No model rewrites at inference, and the retriever is measured on queries as they are.

Stages in the run folder: judged.jsonl (each training query, and whether it is ambiguous), rewrites.jsonl (of the ambiguous ones, with some of their
relevant documents each), then the run itself, the recipe `retriever` on both. The paper's rewriter is a large model; one that cannot write chooses a keyphrase of the document (`form=choose`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from pydantic import Field

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.paths import cache_file
from litrag.core.protocols import ForcedScoring, Generates, NextTokenLogprobs
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache, digest
from litrag.core.sync import run
from litrag.core.types import Document
from litrag.corpora import load
from litrag.corpora.types import Dataset, Topic
from litrag.exports.records import Record
from litrag.models.gateway import Gateway
from litrag.rewriters.ambiguity import AmbiguityModel, ambiguous, leans, said
from litrag.rewriters.contextual import chosen_phrase, rare_terms, written
from litrag.training.kit import Built, Job
from litrag.training.retriever import retriever
from litrag.training.stages import each, stage

__all__ = ["CarSettings", "car"]

_Rewrite: TypeAlias = Callable[[str, str], Awaitable[str]]
_JUDGES: Final[Mapping[str, Callable[[str], bool]]] = {
    "rules": ambiguous,
    "leans": leans,
    "all": lambda text: True,
    "none": lambda text: False,
}


class CarSettings(Record):
    """The recipe's own settings (--set)."""

    form: Literal["choose", "write", "terms"] = Field(
        default="choose", description="choose a keyphrase, write anew, or append rare terms (a control, no model)."
    )
    document: Literal["relevant", "random", "none"] = Field(
        default="relevant", description="Context of the rewriting; random and none (write alone) are controls."
    )
    documents: int = Field(default=1, ge=1, description="Relevant documents of a query that it is rewritten with.")
    ambiguous: Literal["rules", "leans", "model", "all", "none"] = Field(
        default="rules",
        description="Queries that are rewritten: by words alone, those that lean on others, by the model; none is the control without rewriting.",
    )
    model: str = Field(default="local/SmolLM2-135M-Instruct", description="Language model that rewrites, and judges.")


def car(job: Job) -> Built:
    """The recipe. `dataset` is a data set with judgements (acl-keyphrases:train). Raises BadInput, UnknownName, ModelFault."""
    config, own = job.config, job.config.of(CarSettings)
    if own.document == "none" and own.form != "write":
        raise BadInput("document=none rewrites the query alone, which only form=write does")
    data, folder = load(config.dataset), job.run.folder
    judged = stage(folder / "judged.jsonl", lambda: run(_judged(job, data, own)))
    rows = stage(folder / "rewrites.jsonl", lambda: run(_rewrites(job, data, judged, own)))
    second = config.model_copy(update={"recipe": "retriever", "own": {"rewrites": str(folder / "rewrites.jsonl")}})
    built = retriever(Job(replace(job.run, config=second), job.listen))
    count = {"judged": len(judged), "ambiguous": sum(row["ambiguous"] for row in judged), "rewrites": len(rows)}
    return replace(built, facts={**built.facts, **count})


async def _judged(job: Job, data: Dataset, own: CarSettings) -> list[dict[str, Any]]:
    if own.ambiguous != "model":
        judge = _JUDGES[own.ambiguous]
        return [{"id": topic.id, "ambiguous": judge(topic.query.text)} for topic in data.topics]
    gateway = _gateway(own)
    model = AmbiguityModel(gateway.resolve("rewrite", needs=NextTokenLogprobs))

    async def one(topic: Topic) -> dict[str, Any]:
        return {"id": topic.id, "ambiguous": await model.judge(topic.query.text)}

    return await each(job, "judged", data.topics, one, gateway)


def _gateway(own: CarSettings) -> Gateway:
    """Greedy, and without the training's seed: seeds share their rewrites, and differ in the training alone."""
    return Gateway(load_settings(rewrite_model=own.model), cache=RequestCache(cache_file()))


async def _rewrites(
    job: Job, data: Dataset, judged: Sequence[Mapping[str, Any]], own: CarSettings
) -> list[dict[str, Any]]:
    """One row a rewrite: topic, document, text. What is no rewrite is left out and counted."""
    wanted = {row["id"] for row in judged if row["ambiguous"]}
    topics = [topic for topic in data.topics if topic.id in wanted]
    if not topics:
        return []
    corpus = {document.id: document for document in data.corpus()}
    pairs = [(topic, corpus[name]) for topic in topics for name in _documents(topic, own.documents) if name in corpus]
    others = sorted(corpus)
    gateway = _gateway(own)
    rewrite = _rewriter(gateway, corpus, own)

    async def one(pair: tuple[Topic, Document]) -> dict[str, Any]:
        topic, document = pair
        shown = document
        if own.document == "random":
            shown = corpus[others[int(digest([topic.id, document.id])[:12], 16) % len(others)]]
        text = await rewrite(topic.query.text, "" if own.document == "none" else shown.text)
        return {"id": topic.id, "document": document.id, "text": text}

    found = await each(job, "rewrites", pairs, one, gateway)
    kept = [row for row in found if row["text"]]
    job.listen(Event("rewrites", f"{len(topics)} of {len(data.topics)} queries ambiguous, {len(kept)} rewrites"))
    return kept


def _documents(topic: Topic, n: int) -> Sequence[str]:
    """`n` of a topic's relevant documents, by a hash."""
    known = [name for name, grade in topic.relevant.items() if grade > 0]
    return sorted(known, key=lambda name: digest([topic.id, name]))[:n]


def _rewriter(gateway: Gateway, corpus: Mapping[str, Document], own: CarSettings) -> _Rewrite:
    if own.form == "write":
        writer = gateway.resolve("rewrite", needs=Generates)
        return lambda query, document: written(writer, query, document)
    if own.form == "choose":
        scorer = gateway.resolve("rewrite", needs=ForcedScoring)
        return lambda query, document: chosen_phrase(scorer, query, document)
    frequency = Counter(word for document in corpus.values() for word in set(said(document.text)))

    async def terms(query: str, document: str) -> str:
        return rare_terms(query, document, frequency, len(corpus))

    return terms
