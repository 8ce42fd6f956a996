"""Rewriting: what one retriever finds for the queries that a rewriter makes of a topic's question, against what it finds for the original.

original is the floor of every table. A new method is one entry of rewrite_rows.ROWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from litrag.core.errors import UnknownName
from litrag.corpora import load
from litrag.evals.metrics import check_measures
from litrag.evals.retrieval import written_runs
from litrag.evals.rewrite_bench import RewriteBench
from litrag.evals.rewrite_rows import ROWS
from litrag.evals.runner import Evaluation
from litrag.evals.tasks import EvalOptions

__all__ = ["REWRITE", "Rewrite"]

_CONVERSATIONS: Final = ("RR", "nDCG@3", "R@10")
_LITERATURE: Final = ("R@100", "nDCG@10")


class Rewrite:
    """`litrag eval rewrite`."""

    methods: Mapping[str, object] = ROWS

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Methods over a sample of a data set; original is always the first. Raises UnknownName, BadInput, EnvironmentFault."""
        options = replace(options, dataset=options.dataset or "canard-unanswered:test")
        dataset = load(options.dataset).sample(options.n, options.seed)
        talks = any(topic.query.history for topic in dataset.topics)
        measures = options.measures or (_CONVERSATIONS if talks else _LITERATURE)
        bench = RewriteBench(dataset, measures, options)
        check_measures(measures, bench.k)
        usual = ("history", "context", "human") if talks else ("statistical", "statistical-fused")
        names = dict.fromkeys(("original", *(options.methods or usual)))
        for name in names:
            if name not in ROWS:
                raise UnknownName("rewrite method", name, ROWS)
        systems = tuple(bench.system(ROWS[name]) for name in names)
        return Evaluation("rewrite", dataset, systems, options.seed, {"measures": list(measures), "retriever": "bm25"})

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Writes a TREC run a system."""
        return written_runs(evaluation, folder)


REWRITE: Final = Rewrite()
