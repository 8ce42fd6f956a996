"""Retrieval: first-stage rankings of a whole corpus, measured against relevance judgements.

bm25 is the floor of every table. A new method is one entry of METHODS: a function from the bench to a `System`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from litrag.core import registry
from litrag.core.errors import BadInput
from litrag.core.store import digest
from litrag.corpora import load
from litrag.corpora.trec import read_run, write_run
from litrag.corpora.types import Topic
from litrag.evals.journal import Answer, Journal
from litrag.evals.metrics import check_measures, cutoff, measures_of
from litrag.evals.retrieval_bench import Bench
from litrag.evals.runner import Evaluation, System
from litrag.evals.tasks import EvalOptions

__all__ = ["MEASURES", "METHODS", "RETRIEVAL", "Retrieval", "written_runs"]

_ROWS: Final = "litrag.evals.retrieval_rows"
_CITED: Final = "litrag.evals.citation_rows"
_SEVERAL: Final = "litrag.evals.literature_rows"
_CAR: Final = "litrag.evals.car_rows"
METHODS: Final = {
    "bm25": f"{_ROWS}:bm25",
    "dense": f"{_ROWS}:dense",
    "random-projection": f"{_ROWS}:random_projection",
    "svd": f"{_ROWS}:svd",
    "hybrid": f"{_ROWS}:hybrid",
    "fields": f"{_ROWS}:fields",
    "multi-query": f"{_ROWS}:multi_query",
    "multi-query-sentences": f"{_ROWS}:sentence_queries",
    "maxsim": f"{_ROWS}:maxsim",
    "words-parts-4": f"{_SEVERAL}:words_parts_4",
    "words-keyphrases-4": f"{_SEVERAL}:words_keyphrases_4",
    "words-keyphrases-8": f"{_SEVERAL}:words_keyphrases_8",
    "words-review-8": f"{_SEVERAL}:words_review_8",
    "words-agent-2": f"{_SEVERAL}:words_agent_2",
    "words-agent-4": f"{_SEVERAL}:words_agent_4",
    "words-agent-8": f"{_SEVERAL}:words_agent_8",
    "parts-4": f"{_SEVERAL}:parts_4",
    "keyphrases-4": f"{_SEVERAL}:keyphrases_4",
    "agent-4": f"{_SEVERAL}:agent_4",
    "keyphrases-8": f"{_SEVERAL}:keyphrases_8",
    "review-8": f"{_SEVERAL}:review_8",
    "trained": f"{_CITED}:trained",
    "popularity": f"{_CITED}:popularity",
    "bm25-popularity": f"{_CITED}:bm25_popularity",
    "fields-popularity": f"{_CITED}:fields_popularity",
    "snowball": f"{_CITED}:snowball",
    "citing": f"{_CITED}:citing",
    "trained-citing": f"{_CITED}:trained_citing",
    "dense-trained": f"{_CITED}:dense_trained",
    "dense-hard-negatives": f"{_CITED}:dense_hard_negatives",
    "dense-consistency": f"{_CITED}:dense_consistency",
    "dense-margin": f"{_CITED}:dense_margin",
    "dense-sufficiency": f"{_CITED}:dense_sufficiency",
    "dense-pruned": f"{_CITED}:dense_pruned",
    "dense-lexical": f"{_CITED}:dense_lexical",
    "dense-lora": f"{_CITED}:dense_lora",
    "car": f"{_CAR}:car",
    "car-three": f"{_CAR}:car_three",
    "car-written": f"{_CAR}:car_written",
    "car-originals": f"{_CAR}:car_originals",
    "car-terms": f"{_CAR}:car_terms",
    "car-random": f"{_CAR}:car_random",
    "car-alone": f"{_CAR}:car_alone",
}
MEASURES: Final = ("nDCG@10", "R@10", "R@20", "R@50", "R@100", "R@500", "RR", "AP", "P@10")


@dataclass(frozen=True, slots=True)
class _FromRun:
    """A run that another program wrote; a topic it lacks counts as found nothing."""

    bench: Bench
    run: Mapping[str, Sequence[str]]

    async def answer(self, topic: Topic) -> Answer:
        ids = self.run.get(topic.id, ())[: self.bench.k]
        return Answer(measures_of(ids, topic.relevant, self.bench.measures), {}, {"ids": list(ids)})


class Retrieval:
    """`litrag eval retrieval`."""

    methods: Mapping[str, object] = METHODS
    takes_runs = True

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Methods and TREC runs over a sample of a data set. Raises UnknownName, BadInput, EnvironmentFault."""
        if options.k < 1:
            raise BadInput(f"k {options.k}: rank at least one document")
        measures = options.measures or tuple(name for name in MEASURES if cutoff(name) <= options.k)
        check_measures(measures, options.k)
        dataset = load(options.dataset or "scifact").sample(options.n, options.seed)
        bench = Bench(dataset, options.k, measures, options)
        names = options.methods or (() if options.runs else ("bm25",))
        systems = [registry.find("retrieval method", METHODS, name)(bench) for name in names]
        for given in options.runs:
            systems.append(_system_of_run(bench, given, {system.name for system in systems}))
        return Evaluation(
            "retrieval", dataset, tuple(systems), options.seed, {"k": options.k, "measures": list(measures)}
        )

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Writes a TREC run a system."""
        return written_runs(evaluation, folder)


def written_runs(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Writes a TREC run a system from what its answers kept as "ids"; returns the files."""
    with Journal(folder, evaluation.config, resume=True) as journal:
        written = []
        for system in evaluation.systems:
            ids = {t.id: journal.lines[system.name, t.id].details["ids"] for t in evaluation.dataset.topics}
            path = folder / f"{system.name}.run"
            write_run(path, ids, f"litrag-{system.name}")
            written.append(path)
    return written


def _system_of_run(bench: Bench, given: Path, taken: Collection[str]) -> System:
    """The row of FILE, called by its tag, or of NAME=FILE; where that name is taken, by the file's."""
    named, _, file = str(given).partition("=")
    path, named = (given, "") if given.exists() or not file else (Path(file), named)
    tag, run = read_run(path, as_evaluators=True)
    name = named or re.sub(r"[^\w.+-]+", "-", tag)
    if name in taken and not named:
        name = path.stem
    known = {topic.id for topic in bench.dataset.topics}
    if not known & set(run):
        raise BadInput(f"{path} ranks no topic of {bench.dataset.name}; check --run and --dataset")
    told = {"run": path.name, "topics": len(known & set(run)), "content": digest(sorted(run.items()))[:16]}
    return System(name, lambda: _FromRun(bench, run), told)


RETRIEVAL: Final = Retrieval()
