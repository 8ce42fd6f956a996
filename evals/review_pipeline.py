"""The whole review over papers whose reference lists are known: how many of the cited works each stage still holds, and what each part is worth.

A row is a review with other settings; the first is the review with everything that needs no language model. Papers are found in the data set's corpus,
none newer than the citing paper, that one left out. The citation graph of the snowball holds only lists of papers of strictly earlier years."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from litrag.core import sync
from litrag.core.errors import BadInput, NoEvidence
from litrag.core.events import silent
from litrag.core.ledger import Ledger
from litrag.core.paths import home
from litrag.core.settings import Settings, load_settings
from litrag.core.store import Store
from litrag.core.types import Document, Draft, Paper, Plan, Ranking
from litrag.corpora import load, split_of
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.tasks import EvalOptions
from litrag.evals.trainings import shown
from litrag.pipelines.api import make_request
from litrag.pipelines.finding import Selected
from litrag.pipelines.methods import why_no_embedder
from litrag.pipelines.reading import Abstract
from litrag.pipelines.review import run_review
from litrag.pipelines.runs import Run, new_run
from litrag.pipelines.state import ReviewState
from litrag.pipelines.workshop import fill_library
from litrag.retrievers.sources.library import open_library
from litrag.retrievers.sources.library_search import WORDS_ALONE

__all__ = ["PIPELINES", "PipelineBench"]

_DEPTH: Final = 100  # of the ranking, for the recall after reranking
_STAGES: Final = ("pool", "reranked", "selected", "planned", "cited")
_ONE_PARAGRAPH: Final = "### related work\n"

# name -> the settings that differ from the first row's; "plan" is the text of a plan
PIPELINES: Final[Mapping[str, Mapping[str, Any]]] = {
    "full": {},
    "default": {"agent": "none", "snowball": 0},
    "-rewrite": {"rewriter": "none"},
    "-dense": {"embed_model": "none"},
    "-vectors": {"retriever": "bm25"},
    "-vectors-rerank": {"retriever": "bm25", "reranker": "none"},
    "-snowball": {"snowball": 0},
    "-agent": {"agent": "none"},
    "-rerank": {"reranker": "none"},
    "-scores": {"reranker_options": {"first_stage_weight": 0.0}},
    "depth-300": {"reranker_options": {"default_depth": 300}},
    "-plan": {"plan": _ONE_PARAGRAPH},
    "-verify": {"unsupported": "keep"},
    "searches-1": {"max_searches": 1},
    "searches-2": {"max_searches": 2},
    "searches-4": {"max_searches": 4},
    "searches-8": {"max_searches": 8},
    "searches-16": {"max_searches": 16},
}
_OWN: Final[Mapping[str, Any]] = {
    "pause": (),
    "words": None,
    "sections": None,
    "drafts": 1,
    "formats": ("md",),
}  # no row's, whatever files say
_FULL: Final[Mapping[str, Any]] = {"agent": "papers", "agent_searches": 4, "snowball": 1, "papers": 30}


@dataclass
class PipelineBench:
    """What the rows share: the corpus as a library's file, the citations as a graph's."""

    dataset: Dataset
    options: EvalOptions

    @property
    def shared(self) -> Mapping[str, Any]:
        """The settings of all rows."""
        return {**_FULL, "vectors": why_no_embedder(self._settings) or shown(self._settings.role_model("embed"))}

    @cached_property
    def folder(self) -> Path:
        """Where the two files are, by the content of the topics: written once, read by every eval of the same data. Papers are those that some
        topic of the split may get, which no sample changes; they have vectors by the embedder in force, as `litrag library add` gives them."""
        body, split = split_of(self.options.dataset or "acl:test")
        whole, part = load(f"{body}:all"), load(f"{body}:{split or 'test'}")
        folder = home() / "evals" / f"corpus-{part.fingerprint}-{whole.fingerprint}"
        if not (folder / "citations.jsonl").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            _lines(folder / "papers.jsonl", map(_record, part.reachable()))
            _lines(folder / "citations.jsonl", _graph(whole.topics))
        return folder

    @cached_property
    def library(self) -> str:
        """The file of the papers, its vectors filled in where there is an embedder. Raises EnvironmentFault, BadInput."""
        file = str(self.folder / "papers.jsonl")
        with closing(open_library(file)) as library:
            sync.run(fill_library(library, self._settings, silent))
        return file

    @cached_property
    def _settings(self) -> Settings:
        return self.options.settings or load_settings()

    def row(self, name: str) -> _Reviewing:
        """The review of a row."""
        return _Reviewing(self, PIPELINES[name], self.library)


@dataclass(frozen=True, slots=True)
class _Reviewing:
    bench: PipelineBench
    changes: Mapping[str, Any]
    library: str

    async def answer(self, topic: Topic) -> Answer:
        place = Path(tempfile.mkdtemp(prefix="litrag-eval-"))
        try:
            run = self._run(topic, place)
            try:
                state = await run_review(run)
            except NoEvidence:
                nothing = [*(f"recall_{stage}" for stage in _STAGES), "precision_cited", "supported", "cited", "words"]
                return Answer(dict.fromkeys(nothing, 0.0), _counts(run), {"stop_reason": "no evidence"})
            return Answer(_measured(run, state, topic), _counts(run), {"stop_reason": state.get("stop_reason", "")})
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _run(self, topic: Topic, place: Path) -> Run:
        title, _, abstract = topic.query.text.partition("\n")
        own = {"snowball_graph": str(self.bench.folder / "citations.jsonl"), **_FULL, **self.changes}
        plan = str(own.pop("plan", ""))
        given = self.bench.options.settings
        settings = load_settings(**{**(given.model_dump() if given else {}), **own})
        weighted = "first_stage_weight" in own.get("reranker_options", {})
        if weighted and settings.role_model("rerank"):  # insertrank's name for it
            settings = settings.model_copy(update={"reranker_options": {"scores": "none"}})
        settings = settings.model_copy(update=_OWN)
        if settings.sources:
            raise BadInput("the eval of reviews searches the data set alone; take `sources` out of the settings")
        request = make_request(
            Abstract(topic.id, title, abstract or title),
            settings,
            libraries=[self.library],
            before=topic.query.before,
            out=str(place / "out"),
            exclude=sorted(topic.query.exclude),
        )
        return new_run(replace(request, plan=plan), parent=place)


def _measured(run: Run, state: ReviewState, topic: Topic) -> dict[str, float]:
    """Recall of the cited works at each stage, precision of those cited, and of the text: supported pairs, words. Raises BadInput where the library's
    vectors were not searched."""
    gold = {name for name, grade in topic.relevant.items() if grade > 0}
    store = Store(run.database)
    try:
        told = store.get(state["warnings"], tuple[str, ...]) if state.get("warnings") else ()
        if lost := next((line for line in told if WORDS_ALONE in line), ""):
            raise BadInput(lost)  # words alone would stand for both
        keyed = {item.key: item.paper.id for item in store.get(state["selected"], tuple[Selected, ...])}
        draft = store.get(state["draft"], Draft)
        held: dict[str, Iterable[str]] = {
            "pool": [paper.id for paper in store.get(state["papers"], tuple[Paper, ...])],
            "reranked": store.get(state["ranking"], Ranking).ids[:_DEPTH],
            "selected": keyed.values(),
            "planned": [keyed[key] for key in store.get(state["plan"], Plan).keys],
            "cited": [keyed[key] for key in draft.keys],
        }
    finally:
        store.close()
    cited = set(held["cited"])
    labels = [verdict.label for claim in draft.claims for verdict in claim.verdicts]
    return {
        **{f"recall_{stage}": len(gold & set(held[stage])) / len(gold) for stage in _STAGES},
        "precision_cited": len(gold & cited) / max(1, len(cited)),
        "supported": fmean(float(label == "supported") for label in labels) if labels else 0.0,
        "cited": float(len(cited)),
        "words": float(sum(len(claim.sentence.split()) for claim in draft.claims)),
    }


def _counts(run: Run) -> dict[str, int]:
    totals = Ledger.read(run.database)
    names = ("searches", "calls", "prompt_tokens", "completion_tokens")
    return {name: getattr(totals, name) for name in names}


def _record(document: Document) -> dict[str, Any]:
    year = document.metadata.get("year")
    text = document.text.removeprefix(document.title).strip()
    return {"id": document.id, "title": document.title, "abstract": text, "year": year or 0}


def _graph(topics: Sequence[Topic]) -> Iterable[dict[str, Any]]:
    """Reference lists, each dated a year late: a graph as of a paper's own year then holds none of that year, its own least of all."""
    for topic in topics:
        if topic.query.before is not None:
            yield {"id": topic.id, "cites": sorted(topic.relevant), "year": topic.query.before.year}


def _lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    part.replace(path)
