"""Where a review waits for its user: at its papers and at its plan. Each pause is a file to edit and a LangGraph interrupt, so that any process, terminal
or server goes on with the run once the file is as it should be."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from litrag.core.errors import BadInput, BudgetSpent, CannotWrite
from litrag.core.names import KEY, citation_keys, labels
from litrag.core.types import Hit, Paper, Plan, Ranking
from litrag.pipelines.event_log import open_stage
from litrag.pipelines.finding import Selected, cited, with_warnings
from litrag.pipelines.named import in_reach, with_named
from litrag.pipelines.plan_file import KEYED, PLAN_FILE, assigned, plan_markdown, read_plan
from litrag.pipelines.runs import Run
from litrag.pipelines.state import PAUSES, ReviewRequest, ReviewState
from litrag.pipelines.workshop import Workshop
from litrag.retrievers.normal_forms import arxiv_id, doi

__all__ = [
    "PAPERS_FILE",
    "Box",
    "boxes",
    "choose",
    "edit",
    "extra_lines",
    "offer_papers",
    "offer_plan",
    "papers_markdown",
    "pause_of",
    "paused_at",
    "read_papers",
    "refuse_leftovers",
    "wait_note",
    "with_boxes",
]

PAPERS_FILE: Final = PAUSES["papers"]
_PAUSED: Final = {"choose": "papers", "edit": "plan"}  # node -> its pause
_ASIDE: Final = ("#", ">", "<!--")  # what begins a line that says nothing of a paper
_MORE: Final = 30  # papers offered beyond those chosen
_BOX: Final = re.compile(rf"^[-*+]\s+\[( |x|X)\]\s+@({KEY})")
_ITEM: Final = re.compile(r"^(?:[-*+]\s+)?(?:\[([xX ])\]\s+)?(.*)$")


def papers_markdown(chosen: Sequence[str], offered: Mapping[str, Paper], *, title: str, then: str) -> str:
    """The file: a box a paper, checked where it is to be cited."""
    named = labels(offered)
    lines = [
        f"# Papers: {' '.join(title.split()) or 'related work'}",
        "",
        f"> Check what is to be cited, uncheck what is not; then: {then}",
        '> A line with a DOI, an arXiv id or the key of a paper of your libraries ("- 10.1000/xyz", "- @li2021fog") adds that paper; the best paper stands first.',
        "",
    ]
    for key, paper in offered.items():
        box = "x" if key in chosen else " "
        where = f" {paper.doi or (paper.arxiv_id and 'arXiv:' + paper.arxiv_id)}".rstrip()
        lines.append(f"- [{box}] @{key}: {named[key].textual}. {' '.join(paper.title.split())}.{where}")
    return "\n".join(lines) + "\n"


def read_papers(
    text: str, offered: Mapping[str, Paper], *, name: str = PAPERS_FILE
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that are checked, in order, and what else is to be added: keys that were not offered, DOIs and arXiv ids. Raises BadInput."""
    keys: dict[str, None] = {}
    added: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith(_ASIDE):
            continue
        if box := _BOX.match(stripped):
            if box[1] != " ":
                (keys if box[2] in offered else added)[box[2]] = None
            continue
        item = _ITEM.match(stripped)
        told = item[2].strip() if item else ""
        key = KEYED.match(told)
        number_of = key[1] if key else doi(told) or arxiv_id(told)
        if not number_of:
            raise BadInput(
                f'{name}, line {number}: "{told[:40]}" is neither "- [x] @key" nor "@key", a DOI or an arXiv id'
            )
        if item and item[1] == " ":
            continue
        added[number_of] = None
    if not keys and not added:
        raise BadInput(f"{name}: no paper is checked; check at least one")
    return tuple(keys), tuple(added)


@dataclass(frozen=True, slots=True)
class Box:
    """A paper on offer in papers.md. `label` is what stands behind its key."""

    key: str
    label: str
    checked: bool


def boxes(text: str) -> tuple[Box, ...]:
    """The boxes of a papers.md, in order."""
    found = ((match, line[match.end() :]) for line in map(str.strip, text.splitlines()) if (match := _BOX.match(line)))
    return tuple(Box(match[2], label.lstrip(": "), match[1] != " ") for match, label in found)


def extra_lines(text: str) -> tuple[str, ...]:
    """The lines of a papers.md that are to add a paper, or no line it can be."""
    stripped = (line.strip() for line in text.splitlines())
    return tuple(line for line in stripped if line and not line.startswith(_ASIDE) and not _BOX.match(line))


def with_boxes(text: str, checked: Collection[str], added: Sequence[str] = ()) -> str:
    """The same papers.md with these boxes checked, those alone, and these DOIs or arXiv ids as lines at its end, in the place of those before."""
    lines = []
    before = set(extra_lines(text))
    for line in text.splitlines():
        if line.strip() in before:
            continue
        match = _BOX.match(line.strip())
        lines.append(re.sub(r"\[[ xX]\]", f"[{'x' if match[2] in checked else ' '}]", line, count=1) if match else line)
    return "\n".join([*lines, *(f"- {' '.join(name.split())}" for name in added)]) + "\n"


def paused_at(run: Run) -> str:
    """The pause ("papers", "plan") that a run waits at, or whose file it could not go on with; "" for none."""
    status, _ = run.state()
    return pause_of(run, open_stage(run)) if status in ("waiting", "failed") else ""


def wait_note(file: str) -> str:
    """What a run that waits for a file says while nothing is wrong with it."""
    return f"edit {file}"


def pause_of(run: Run, node: str) -> str:
    """The pause that a run makes at a node of the graph, "" where it makes none there."""
    pause = _PAUSED.get(node, "")
    return pause if pause in run.request.settings.get("pause", ()) else ""


def offer_papers(
    shop: Workshop, selected: Sequence[Selected], ranking: Ranking, papers: Mapping[str, Paper]
) -> tuple[Selected, ...]:
    """What the user may choose from: the selected papers and the next best, all with keys of their own; written into papers.md.
    Raises CannotWrite, BadInput where an edited one is there."""
    chosen = {item.paper.id for item in selected}
    more = [hit for hit in ranking.hits if hit.document.id not in chosen][:_MORE]
    hits = [*(item.hit for item in selected), *more]
    keys = citation_keys([papers[hit.document.id] for hit in hits])
    offered = tuple(Selected(keys[hit.document.id], papers[hit.document.id], hit) for hit in hits)
    text = papers_markdown(
        [item.key for item in offered[: len(selected)]], cited(offered), title=shop.request.title, then=_then(shop)
    )
    _written(shop, PAPERS_FILE, text)
    return offered


def offer_plan(shop: Workshop, plan: Plan, papers: Mapping[str, Paper]) -> None:
    """Writes plan.md. Raises CannotWrite, BadInput where an edited one is there."""
    _written(shop, PLAN_FILE, plan_markdown(plan, papers, title=shop.request.title, then=_then(shop)))


async def choose(shop: Workshop, state: ReviewState) -> ReviewState:
    """Waits, if asked to, until the papers are chosen; then those of papers.md are selected. Raises BadInput."""
    if "papers" not in shop.settings.pause:
        return {}
    text = _awaited(shop, PAPERS_FILE)
    offered = shop.store.get(state["offered"], tuple[Selected, ...])
    by_key = {item.key: item for item in offered}
    keys, added = read_papers(text, cited(offered), name=_path(shop, PAPERS_FILE))
    kept = [by_key[key] for key in keys]
    known = {paper.id: paper for paper in shop.store.get(state["papers"], tuple[Paper, ...])}
    hits = {hit.document.id: hit for hit in shop.store.get(state["ranking"], Ranking).hits}
    here = in_reach(shop, added, known.values())
    elsewhere = [name for name in added if name not in here]
    if strange := next((name for name in elsewhere if not (doi(name) or arxiv_id(name))), ""):
        raise BadInput(
            f'{_path(shop, PAPERS_FILE)}: no paper "@{strange}" was found, and no library of this review has it; add one by its DOI or arXiv id'
        )
    for paper in [*here.values(), *_merged(await _looked_up(shop, elsewhere), known)]:
        offer = next((item for item in offered if item.paper.id == paper.id), None)
        if offer is None:
            key = citation_keys([paper], {*by_key, *(item.key for item in kept)})[paper.id]
            offer = Selected(key, paper, hits.get(paper.id) or Hit(paper.to_document()))
        if paper.id not in {item.paper.id for item in kept}:
            kept.append(offer)
    before = {item.paper.id for item in shop.store.get(state["selected"], tuple[Selected, ...])}
    now = {item.paper.id for item in kept}
    counters = {
        **state.get("counters", {}),
        "selected": len(kept),
        "dropped_by_user": len(before - now),
        "added_by_user": len(now - before),
    }
    bare = [item.key for item in kept if not item.paper.abstract]
    warning = (f"no abstract of {', '.join(bare)}: only the title can be told",) if bare else ()
    return {
        "selected": shop.store.put(tuple(kept), tuple[Selected, ...]),
        "counters": counters,
        "warnings": with_warnings(shop, state, *warning),
    }


async def edit(shop: Workshop, state: ReviewState) -> ReviewState:
    """Waits, if asked to, until the plan is as it should be; then that of plan.md is written. Raises BadInput."""
    if "plan" not in shop.settings.pause:
        return {}
    text = _awaited(shop, PLAN_FILE)
    selected = with_named(shop, state, text, shop.store.get(state["selected"], tuple[Selected, ...]))
    papers = cited(selected)
    planned = assigned(read_plan(text, papers, name=_path(shop, PLAN_FILE)), papers)
    if not planned.paragraphs:
        raise BadInput(
            f"{_path(shop, PLAN_FILE)}: no paragraph cites a paper; name papers by their @key in its sentences"
        )
    return {
        "plans": shop.store.put((planned,), tuple[Plan, ...]),
        "selected": shop.store.put(selected, tuple[Selected, ...]),
    }


def _awaited(shop: Workshop, name: str) -> str:
    """The text of a file, after the user had their time with it."""
    from langgraph.types import interrupt

    interrupt({"file": _path(shop, name)})
    try:
        return Path(_path(shop, name)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{_path(shop, name)} cannot be read ({error}); it was written there for you to edit") from error


def _merged(new: Sequence[Paper], known: Mapping[str, Paper]) -> list[Paper]:
    """The papers, those that the pool has under another id as the pool has them."""
    from litrag.retrievers.merging import merge

    _, same = merge([*known.values(), *new])
    return [known.get(same.get(paper.id, paper.id), paper) for paper in new]


async def _looked_up(shop: Workshop, names: Sequence[str]) -> list[Paper]:
    """Papers by DOI or arXiv id, where the review has a source online. Raises BadInput, SourceFault, BudgetSpent."""
    if not names:
        return []
    if shop.web is None or not shop.settings.sources:
        raise BadInput(
            f"{_path(shop, PAPERS_FILE)}: {names[0]} is not among the papers found, and this review asks nobody online; start it with --source crossref, or add the paper to a library"
        )
    from litrag.retrievers.sources.lookup import look_up

    try:
        async with asyncio.timeout(shop.budget.seconds_left):
            works = await look_up(names, shop.settings, shop.web)
    except TimeoutError:
        raise BudgetSpent("seconds", shop.settings.max_seconds or 0, shop.settings.max_seconds or 0) from None
    missing = [name for name in names if name not in works]
    if missing:
        raise BadInput(
            f"{_path(shop, PAPERS_FILE)}: {', '.join(missing)}: no such work is known online; add the paper to a library instead"
        )
    return [works[name] for name in names]


def _then(shop: Workshop) -> str:
    return f"litrag runs resume {shop.run.id}"


def _path(shop: Workshop, name: str) -> str:
    return str(Path(shop.request.out) / name)


def refuse_leftovers(request: ReviewRequest) -> None:
    """Before a new run that is to pause spends anything. Raises BadInput where the file of another run is there: its user's words may be in it."""
    for pause in request.settings.get("pause", ()):
        path = Path(request.out) / PAUSES[pause]
        if path.exists() and not request.force:
            raise BadInput(
                f"{path} is of another run and may have been edited; choose another folder with -o, or --force"
            )


def _written(shop: Workshop, name: str, text: str) -> None:
    path = Path(_path(shop, name))
    try:
        if path.exists() and path.read_text(encoding="utf-8") != text and not shop.request.force:
            raise BadInput(
                f"{path} is there already and may have been edited; choose another folder with -o, or --force"
            )
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise CannotWrite(path, error.strerror or str(error)) from error
