"""Rows of a retrieval table whose retriever has learned from rewritten queries (CAR), over three seeds, and the controls of that: as many steps on
the originals alone, rewriting with a random document, without one, and without a model. All are asked with queries as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from litrag.core.protocols import Retriever
from litrag.evals.retrieval_bench import Bench
from litrag.evals.runner import System
from litrag.evals.trainings import SEEDS, trained
from litrag.retrievers.dense import Dense

__all__ = [
    "VARIANTS",
    "car",
    "car_alone",
    "car_originals",
    "car_random",
    "car_terms",
    "car_three",
    "car_written",
    "row",
]

# name -> the recipe's settings. One rewrite of a query: an original is learned as often as its rewrite, as in the paper, where a query has one document
_ONE: Final[Mapping[str, Any]] = {"documents": 1}
VARIANTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "car": _ONE,
    "car-three": {"documents": 3},
    "car-written": {**_ONE, "form": "write"},
    "car-originals": {"ambiguous": "none"},
    "car-terms": {**_ONE, "form": "terms"},
    "car-random": {**_ONE, "document": "random"},
    "car-alone": {**_ONE, "form": "write", "document": "none"},
}


def row(name: str, bench: Bench) -> System:
    """Dense retrieval by the retriever of a variant."""
    own = dict(VARIANTS[name])

    def build() -> Sequence[Retriever]:
        base = bench.settings.role_model("embed") or ""
        models = [trained("car", bench.training_part, base, {"seed": seed, "own": own})[0] for seed in SEEDS]
        return [Dense(bench.embedder(model), bench.index, bench.fetch, "dense") for model in models]

    return bench.seeded(name, build, recipe="car", seeds=list(SEEDS), **own)


car = partial(row, "car")
car_three = partial(row, "car-three")
car_written = partial(row, "car-written")
car_originals = partial(row, "car-originals")
car_terms = partial(row, "car-terms")
car_random = partial(row, "car-random")
car_alone = partial(row, "car-alone")
