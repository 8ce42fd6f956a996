"""`litrag eval review`: from an abstract to cited papers (ACL: the whole pipeline with its parts taken away), from given passages to text
(ScholarQA-Multi: plans and writers beside experts' answers)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from litrag.core.errors import UnknownName
from litrag.corpora import load, split_of
from litrag.evals.review_pipeline import PIPELINES, PipelineBench
from litrag.evals.review_writing import WRITERS, WritingBench
from litrag.evals.runner import Evaluation, System
from litrag.evals.tasks import EvalOptions

__all__ = ["REVIEW", "Review"]


class Review:
    """`litrag eval review`. Methods of the one data set are not those of the other."""

    methods: Mapping[str, object] = {**PIPELINES, **WRITERS}

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Pipelines over papers with reference lists, or writers over questions with answers. Raises UnknownName, BadInput, EnvironmentFault."""
        spec = options.dataset or "acl:test"
        dataset = load(spec).sample(options.n, options.seed)
        written = split_of(spec)[0].startswith("scholarqa")
        known: Mapping[str, object] = WRITERS if written else PIPELINES
        names = tuple(dict.fromkeys(options.methods or known))
        for name in names:
            if name not in known:
                raise UnknownName("method", name, known)
        if written:
            writing = WritingBench(dataset, options)
            systems = [System(name, lambda name=name: writing.row(name)) for name in names]  # type: ignore[misc]
            return Evaluation("review", writing.dataset, tuple(systems), options.seed)
        bench = PipelineBench(dataset, options)
        systems = [System(name, lambda name=name: bench.row(name), PIPELINES[name]) for name in names]  # type: ignore[misc]
        return Evaluation("review", dataset, tuple(systems), options.seed, bench.shared)

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Nothing more."""
        return ()


REVIEW: Final = Review()
