"""Reranking: a first stage's candidates in a new order, measured against relevance judgements and against what the order cost.

bm25 is the input and the floor of every table. A new method is one entry of METHODS: a function from the bench to a `System`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from litrag.core.errors import UnknownName
from litrag.corpora import load
from litrag.evals.metrics import check_measures
from litrag.evals.plots import draw_costs
from litrag.evals.rerank_bench import RerankBench
from litrag.evals.rerank_rows import ROWS, bm25, maxsim, row, similarity
from litrag.evals.results import read_results
from litrag.evals.retrieval import written_runs
from litrag.evals.runner import RESULTS, Evaluation, System
from litrag.evals.tasks import EvalOptions
from litrag.training.judged import DEPTH

__all__ = ["METHODS", "RERANK", "Rerank"]

METHODS: Final[Mapping[str, Callable[[RerankBench], System]]] = {
    "bm25": bm25,
    "similarity": similarity,
    "maxsim": maxsim,
    **{name: partial(row, name) for name in ROWS},
}
_GRADED: Final = ("nDCG@10", "RR(rel=2)", "AP(rel=2)")  # TREC DL: a passage counts as relevant from grade 2 on
_BINARY: Final = ("nDCG@10", "RR", "AP")


class Rerank:
    """`litrag eval rerank`."""

    methods: Mapping[str, object] = METHODS

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Methods over a sample of a data set; bm25 is always the first. Raises UnknownName, BadInput, EnvironmentFault."""
        dataset = load(options.dataset or "trec-dl19").sample(options.n, options.seed)
        measures = options.measures or (_GRADED if dataset.name.startswith("trec-dl") else _BINARY)
        bench = RerankBench(dataset, measures, options)
        check_measures(measures, DEPTH)
        names = dict.fromkeys(("bm25", *(options.methods or ("query-likelihood",))))
        systems: list[System] = []
        for name in names:
            if name not in METHODS:
                raise UnknownName("rerank method", name, METHODS)
            systems.append(METHODS[name](bench))
        return Evaluation("rerank", dataset, tuple(systems), options.seed, {"measures": list(measures)})

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Writes a TREC run a system, and the picture of quality against cost."""
        return [*written_runs(evaluation, folder), *draw_costs(read_results(folder / RESULTS), folder).files]


RERANK: Final = Rerank()
