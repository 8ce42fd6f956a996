"""Questions that take several documents: what agents read within how many searches (HotPotQA, MuSiQue, 2WikiMultiHopQA).

The pool is the union of the questions' own paragraphs and their distractors, chosen by TF-IDF: far easier than all of Wikipedia, and not comparable
with it; `library` searches all of Wikipedia, where somebody indexed it. `hybrid-N` reads the first N documents of one search: what several searches have to beat at equal documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from litrag.agents.stops import RULES
from litrag.core.errors import BadInput, UnknownName
from litrag.corpora import load
from litrag.evals.agent_bench import WAYS, AgentBench, Row
from litrag.evals.asked_rows import ASKED, asked
from litrag.evals.hop_rows import (
    SEARCHES,
    controller,
    equal,
    fixed,
    interpolated,
    oracle,
    random_stop,
    ruled,
    shipped,
    shipped_interpolated,
    single,
)
from litrag.evals.plots import draw_frugality
from litrag.evals.results import read_results
from litrag.evals.runner import RESULTS, Evaluation, Prepared, System
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import shown

__all__ = ["HOTPOTQA", "METHODS", "MUSIQUE", "TWOWIKI", "Questions"]

DEPTHS: Final = range(1, 31)
WHOLE: Final = 6  # searches of a whole trajectory, as in the paper
ANSWERED: Final = "+answer"
_STOPPED: Final = {
    "controller": controller,
    "interpolated": interpolated,
    "random-stop": random_stop,
    "oracle-stop": oracle,
    "shipped": shipped,
    "shipped-interpolated": shipped_interpolated,
}
METHODS: Final[Mapping[str, Callable[[AgentBench], System]]] = {
    **{f"{name}-{n}": partial(single, name, n) for name in ("bm25", "dense", "hybrid") for n in DEPTHS},
    **{f"{way}-{n}": partial(fixed, way, n) for way in WAYS for n in SEARCHES},
    **{f"hybrid-equal-{way}-{n}": partial(equal, way, n) for way in WAYS for n in SEARCHES},
    **{f"{way}-stop-{rule}": partial(ruled, way, rule) for way in WAYS for rule in RULES},
    **{f"{way}-{name}": partial(made, way) for way in WAYS for name, made in _STOPPED.items()},
    **{name: partial(asked, name) for name in ASKED},
}


class Questions:
    """`litrag eval hotpotqa|musique|2wiki`."""

    methods: Mapping[str, object] = METHODS

    def __init__(self, dataset: str, *, over_libraries: bool = True) -> None:
        self._dataset, self.over_libraries = dataset, over_libraries

    def evaluation(self, options: EvalOptions) -> Evaluation:
        """Methods over a sample of the questions; the name of a way alone is its sweep from 1 to 8 searches, `NAME+answer` lets a model answer from what
        was read. Raises UnknownName, BadInput, EnvironmentFault."""
        dataset = load(options.dataset or self._dataset).sample(options.n, options.seed)
        names: list[str] = []
        for name in options.methods or ("bm25-3", "hybrid-3", "hybrid-9", "narrow", "narrow-controller", "fixed-6"):
            if name.removesuffix(ANSWERED) not in METHODS and name not in WAYS:
                raise UnknownName("method", name, [*METHODS, *WAYS])
            names += [f"{name}-{n}" for n in SEARCHES] if name in WAYS else [name]
        bench = AgentBench(dataset, options, searches=max(WHOLE, *map(_searches, names)))
        systems = tuple(_system(name, bench) for name in dict.fromkeys(names))
        facts = {"model_searches": bench.model_searches, **bench.searched}
        return Evaluation(self._dataset, dataset, systems, options.seed, facts)

    def finish(self, evaluation: Evaluation, folder: Path) -> Sequence[Path]:
        """Writes the frugality curve: recall against searches and against documents."""
        return draw_frugality(read_results(folder / RESULTS), folder).files


def _system(name: str, bench: AgentBench) -> System:
    made = METHODS[name.removesuffix(ANSWERED)](bench)
    if not name.endswith(ANSWERED):
        return made

    def ready() -> Prepared:
        row = made.prepare()
        if not isinstance(row, Row):
            raise BadInput(f"{made.name} is no way to read: nothing can be answered from it; leave out {ANSWERED}")
        return row.answering()

    return System(name, ready, {**made.settings, "model": shown(bench.settings.role_model("answer"))})


def _searches(name: str) -> int:
    """How many searches a row's trajectories need."""
    kind, _, number = name.removesuffix(ANSWERED).rpartition("-")
    return int(number) if number.isdigit() and kind.removeprefix("hybrid-equal-") in WAYS else 1


HOTPOTQA: Final = Questions("hotpotqa")
MUSIQUE: Final = Questions("musique", over_libraries=False)  # its paragraphs are no whole pages
TWOWIKI: Final = Questions("2wiki")
