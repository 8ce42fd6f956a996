"""Targets from a stronger reranker: its scores of each topic's candidates in the place of judgements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from litrag.core import registry
from litrag.core.errors import BadInput
from litrag.core.events import Event, Listener
from litrag.core.paths import cache_file
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache
from litrag.core.sync import run
from litrag.models.gateway import Gateway
from litrag.rerankers import RERANKERS
from litrag.training.judged import Judged

__all__ = ["taught"]


def taught(topics: Sequence[Judged], teacher: str, model: str, listen: Listener) -> list[Judged]:
    """The topics with the teacher's scores, brought to [0, 3] a query (the range of TREC's grades), as grades. Raises UnknownName, BadInput
    (a teacher without a model of its own), ModelFault."""
    made = registry.find("reranker", RERANKERS, teacher)
    needs = getattr(made, "needs", None)
    if needs is None:
        raise BadInput(f"teacher {teacher} gives no scores by a model; choose one that does, such as query-likelihood")
    gateway = Gateway(load_settings(rerank_model=model), cache=RequestCache(cache_file()))
    try:
        chosen = made(gateway.resolve("rerank", needs=needs))
        found = []
        for done, topic in enumerate(topics, start=1):
            ranked = run(chosen.rerank(topic.ranking, depth=len(topic.ranking.hits)))
            before = {hit.document.id: len(hit.scores) for hit in topic.ranking.hits}
            new = {h.document.id: h.scores[-1].value for h in ranked.hits if len(h.scores) > before[h.document.id]}
            found.append(_graded(topic, new))
            listen(Event("teach", done=done, total=len(topics)))
    finally:
        gateway.cache.close()
    return [topic for topic in found if len(set(topic.grades)) > 1]


def _graded(topic: Judged, scores: dict[str, float]) -> Judged:
    """The topic without the candidates that the teacher left unscored."""
    hits = tuple(hit for hit in topic.ranking.hits if hit.document.id in scores)
    values = [scores[hit.document.id] for hit in hits]
    low, high = min(values, default=0.0), max(values, default=0.0)
    grades = tuple(3 * (value - low) / (high - low) if high > low else 0.0 for value in values)
    return replace(topic, ranking=replace(topic.ranking, hits=hits), grades=grades)
