"""CAR (arXiv 2308.16753): a retriever learns from ambiguous queries as they are and as they read once a relevant document has made their sense
clear. No model rewrites at inference, and the retriever is measured on queries as they are.

Stages in the run folder: rewrites.jsonl (of the ambiguous training queries, with some of their relevant documents each), then the run itself, the
recipe `retriever` on both. The paper's rewriter is a large model; one that cannot write chooses a keyphrase of the document (`form=choose`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from pydantic import Field

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.paths import cache_file
from litrag.core.protocols import ForcedScoring, Generates
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache, digest
from litrag.core.sync import run
from litrag.core.types import Document
from litrag.corpora import load
from litrag.corpora.types import Dataset, Topic
from litrag.exports.records import Record
from litrag.models.gateway import Gateway
from litrag.rewriters.ambiguity import ambiguous, said
from litrag.rewriters.contextual import chosen_phrase, rare_terms, written
from litrag.training.kit import Built, Job
from litrag.training.retriever import retriever
from litrag.training.stages import each

__all__ = ["CarSettings", "car"]

_Rewrite: TypeAlias = Callable[[str, str], Awaitable[str]]


class CarSettings(Record):
    """The recipe's own settings (--set)."""

    form: Literal["choose", "write", "terms"] = Field(
        default="choose", description="choose a keyphrase, write anew, or append rare terms (a control, no model)."
    )
    document: Literal["relevant", "random", "none"] = Field(
        default="relevant", description="Context of the rewriting; random and none (write alone) are controls."
    )
    documents: int = Field(default=3, ge=1, description="Relevant documents of a query that it is rewritten with.")
    ambiguous: Literal["rules", "all", "none"] = Field(
        default="rules", description="Queries that are rewritten; none is the control without rewriting."
    )
    model: str = Field(default="local/SmolLM2-135M-Instruct", description="Language model that rewrites.")


def car(job: Job) -> Built:
    """The recipe. `dataset` is a data set with judgements (acl-keyphrases:train). Raises BadInput, UnknownName, ModelFault."""
    config, own = job.config, job.config.of(CarSettings)
    if own.document == "none" and own.form != "write":
        raise BadInput("document=none rewrites the query alone, which only form=write does")
    path = job.run.folder / "rewrites.jsonl"
    if not path.is_file():
        rows = run(_rewrites(job, load(config.dataset), own))
        job.run.write("rewrites.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    second = config.model_copy(update={"recipe": "retriever", "own": {"rewrites": str(path)}})
    return retriever(Job(replace(job.run, config=second), job.listen))


async def _rewrites(job: Job, data: Dataset, own: CarSettings) -> list[dict[str, Any]]:
    """One row a rewrite: topic, document, text. What is no rewrite is left out and counted."""
    topics = [topic for topic in data.topics if own.ambiguous == "all" or ambiguous(topic.query.text)]
    if own.ambiguous == "none" or not topics:
        return []
    corpus = {document.id: document for document in data.corpus()}
    pairs = [(topic, corpus[name]) for topic in topics for name in _documents(topic, own.documents) if name in corpus]
    others = sorted(corpus)
    gateway = Gateway(load_settings(rewrite_model=own.model, seed=job.config.seed), cache=RequestCache(cache_file()))
    rewrite = _rewriter(gateway, corpus, own)

    async def one(pair: tuple[Topic, Document]) -> dict[str, Any]:
        topic, document = pair
        shown = document
        if own.document == "random":
            shown = corpus[others[int(digest([topic.id, document.id, job.config.seed])[:12], 16) % len(others)]]
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
