"""The folder of a review: its text in the formats asked for, references.bib, evidence.json, run.json; written whole or not at all, file by file."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from litrag.core import registry
from litrag.core.errors import BadInput, CannotWrite
from litrag.core.prompt import Prompt
from litrag.core.store import digest
from litrag.core.types import Draft, Evidence, Paper, Trajectory
from litrag.core.versions import versions
from litrag.exports.document import Exported
from litrag.exports.evidence import evidence_file
from litrag.exports.formats import ALWAYS, FORMATS, check_export, files_of, written
from litrag.exports.run_record import HopRecord, LedgerRecord, LedgerRow, RunFile, TrajectoryRecord
from litrag.pipelines.finding import FAR
from litrag.pipelines.planning import PLAN
from litrag.pipelines.revising import REVISE
from litrag.pipelines.state import ReviewRequest, ReviewState
from litrag.pipelines.verifying import VERIFY
from litrag.pipelines.workshop import Workshop
from litrag.pipelines.writing import WRITE
from litrag.rerankers import RERANKERS
from litrag.rewriters import REWRITERS

__all__ = [
    "DOCUMENT",
    "FILES",
    "PLANNED",
    "evidence_json",
    "header",
    "prepare_folder",
    "refuse_unvouched",
    "sha",
    "write_files",
    "write_outputs",
]

FILES: Final = ("review.md", "references.bib", "evidence.json", "run.json")
DOCUMENT: Final = "document"  # its name in the run's store
PLANNED: Final = "plan"
_HOW_IT_IS_WRITTEN: Final = ("formats", "style")
_PROMPTS: Final = {"plan": PLAN, "write": WRITE, "verify": VERIFY, "revise": REVISE}
_PACKAGES: Final = (
    "litrag",
    "bm25s",
    "langgraph",
    "litellm",
    "dspy",
    "qdrant-edge-py",
    "sentence-transformers",
    "transformers",
    "torch",
    "numpy",
)


def prepare_folder(request: ReviewRequest) -> None:
    """Makes the output folder and tries to write there, and tries the style, before anything is spent.

    Raises CannotWrite; BadInput for a style that is not there, and where the folder holds the files of another review or edited ones, unless
    `force`; MissingExtra."""
    folder, formats = Path(request.out), request.settings.get("formats", ())
    check_export(formats, request.settings.get("style", "author-year"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".litrag-{os.getpid()}"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        raise CannotWrite(folder, error.strerror or str(error)) from error
    there = [name for name in dict.fromkeys((*FILES, *files_of(formats))) if (folder / name).exists()]
    if request.force or not there:
        return
    remedy = "choose another folder with -o, or overwrite with --force"
    try:
        old = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        same, hashes = old.get("request") == _same_request(request), dict(old.get("files", {}))
    except (OSError, ValueError):
        raise BadInput(f"{folder} holds {there[0]}, which no litrag run vouches for; {remedy}") from None
    if not same:
        raise BadInput(f"{folder} holds another review (run {old.get('run_id')}); {remedy}")
    for path in (folder / name for name in there if name != "run.json"):
        refuse_unvouched(path, hashes, "litrag", remedy)


def write_outputs(
    shop: Workshop,
    state: ReviewState,
    draft: Draft,
    papers: Mapping[str, Paper],
    table: Sequence[Evidence],
    *,
    generated: bool,
    retracted: Mapping[str, str],
) -> None:
    """Writes all files, and stores what they were written from; `retracted` says by key what became of papers. Raises CannotWrite; the run can then
    be resumed into another folder."""
    document = Exported(
        draft=draft,
        papers={key: papers[key] for key in draft.keys},
        header=header(shop, generated=generated, grouped=_grouped(shop, state), notes=_notes(shop, state)),
        style=shop.settings.style,
        evidence=evidence_file(draft, papers, table, retracted),
        marks=shop.settings.unsupported != "keep",
        language=shop.settings.language if generated else "English",
    )
    files = written(document, (*ALWAYS, *shop.settings.formats))
    files["evidence.json"] = evidence_json(document)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    files["run.json"] = (_run_record(shop, state, hashes).model_dump_json(indent=1) + "\n").encode()
    remedy = f"free space, then: litrag runs resume {shop.run.id} (or into another folder: -o DIR)"
    folder = Path(shop.request.out)
    stale = _stale(folder, files)
    write_files(folder, files, remedy=remedy)
    for path in stale:
        path.unlink(missing_ok=True)
    shop.store.remember(DOCUMENT, shop.store.put(document, Exported))
    shop.store.remember(PLANNED, state["plan"])


def evidence_json(document: Exported) -> bytes:
    """The content of evidence.json."""
    evidence = document.evidence.model_dump(mode="json") if document.evidence else {}
    return (json.dumps(evidence, indent=1, ensure_ascii=False) + "\n").encode()


def _stale(folder: Path, files: Collection[str]) -> list[Path]:
    """What an earlier review left in other formats, unedited: beside the new text it would pass for it."""
    try:
        known = dict(json.loads((folder / "run.json").read_text(encoding="utf-8"))["files"])
        mine = {name: known[name] for name in files_of(FORMATS) if name in known and name not in files}
        return [folder / name for name, old in mine.items() if (folder / name).is_file() and sha(folder / name) == old]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def write_files(folder: Path, files: Mapping[str, bytes], *, remedy: str) -> None:
    """Each file whole or not at all. Raises CannotWrite."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            part = folder / f".{name}.part"
            part.write_bytes(data)
            part.replace(folder / name)
    except OSError as error:
        raise CannotWrite(folder, error.strerror or str(error), remedy=remedy) from error


def refuse_unvouched(path: Path, known: Mapping[str, str], maker: str, remedy: str) -> None:
    """Raises BadInput for a file that `known` (name -> hash, of a run.json) has not, or has otherwise."""
    if path.name not in known:
        raise BadInput(f"{path} is not of {maker}'s making; {remedy}")
    if sha(path) != known[path.name]:
        raise BadInput(f"{path} was edited since litrag wrote it; {remedy}")


def sha(path: Path) -> str:
    """SHA-256 of a file, as in run.json."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _grouped(shop: Workshop, state: ReviewState) -> str:
    """Whose plan the text has: the user's ("yours"), a model's (its name), that of clusters ("")."""
    if shop.request.plan:
        return "yours"
    return (shop.settings.role_model("plan") or "") if state.get("counters", {}).get("plans_by_model") else ""


def header(shop: Workshop, *, generated: bool, grouped: str, notes: Sequence[str] = ()) -> str:
    """What stands above the text: who wrote it, whose plan it has (`grouped`), what found it, what a reader must know of it, how to get a stronger one."""
    found = "\n".join(
        [f"Papers were found {_searched(shop)}; every citation is in references.bib and evidence.json.", *notes]
    )
    if generated:
        write = shop.settings.role_model("write")
        return f"Written by litrag with {write} (plan: {grouped or 'clustering'}).\n{found}\nUse another writer with `--model provider/name`; check each sentence."
    by = {"": "topic", "yours": "your plan"}.get(grouped, grouped)
    without = " without a language model" if grouped in ("", "yours") else ""
    return (
        f"Written by litrag{without}: its sentences are taken from the cited {_read(shop)}, grouped by {by}.\n"
        f"{found}\nFor a review in a writer's own words, name a model: `litrag review … --model provider/name`"
        " (any LiteLLM model, an own server, or local/…)."
    )


def _searched(shop: Workshop) -> str:
    """With what, in libraries; where, online."""
    by = "with BM25" + (f" and {shop.embedder.model.rpartition('/')[2]}" if shop.embedder else "")
    here = len(shop.libraries)
    online = " and ".join(source.name for source in shop.sources[here:])
    if not online:
        return by
    return f"{by} in libraries, and at {online}" if here else f"at {online}"


def _notes(shop: Workshop, state: ReviewState) -> list[str]:
    """What a reader of the text must know: that it was stopped, that its papers are far from it."""
    reason = state.get("stop_reason", "done")
    warnings = shop.store.get(state["warnings"], tuple[str, ...]) if state.get("warnings") else ()
    stopped = [f"Stopped early: {reason}."] if reason != "done" else []
    return [*stopped, *(f"{text[0].upper()}{text[1:]}." for text in warnings if text.startswith(FAR))]


def _read(shop: Workshop) -> str:
    return "papers" if shop.settings.full_text else "abstracts"


def _run_record(shop: Workshop, state: ReviewState, hashes: Mapping[str, str]) -> RunFile:
    request = shop.request
    asked = {
        "libraries": list(request.libraries),
        "before": request.before.isoformat() if request.before else None,
        "strict_dates": request.strict_dates,
        "exclude": list(request.exclude),
    }
    rows = tuple(LedgerRow.model_validate(row) for row in shop.ledger.as_rows())
    return RunFile(
        run_id=shop.run.id,
        stop_reason=state.get("stop_reason", "done"),
        input=request.name,
        request=_same_request(request),
        settings={**shop.settings.model_dump(mode="json"), **asked},
        versions={"python": platform.python_version(), **versions(_PACKAGES)},
        prompts={name: prompt.hash for name, prompt in (_methods(shop) | _PROMPTS).items()},
        counters=dict(state.get("counters", {})),
        ledger=LedgerRecord(**asdict(shop.ledger.totals()), rows=rows),
        trajectories=_trajectories(shop, state),
        warnings=shop.store.get(state["warnings"], tuple[str, ...]) if state.get("warnings") else (),
        files=dict(hashes),
    )


def _trajectories(shop: Workshop, state: ReviewState) -> tuple[TrajectoryRecord, ...]:
    made = shop.store.get(state["trajectories"], dict[str, Trajectory]) if state.get("trajectories") else {}
    return tuple(
        TrajectoryRecord(
            agent=agent,
            stop_reason=found.stop_reason,
            hops=tuple(
                HopRecord(action=hop.action, query=hop.query, thought=hop.thought, new=len(hop.new_ids))
                for hop in found.hops
            ),
        )
        for agent, found in made.items()
    )


def _methods(shop: Workshop) -> dict[str, Prompt]:
    """The prompts of the rewriter and the reranker in force, where they have one."""
    chosen = {
        "rewrite": registry.find("rewriter", REWRITERS, shop.rewriter_id),
        "rerank": registry.find("reranker", RERANKERS, shop.reranker_id),
    }
    return {role: made.prompt for role, made in chosen.items() if hasattr(made, "prompt")}


def _same_request(request: ReviewRequest) -> str:
    """A hash that two runs share when they were asked the same: then one may write over the other."""
    asked = asdict(request)
    for name in ("force", "out"):
        del asked[name]
    asked["settings"] = {name: value for name, value in request.settings.items() if name not in _HOW_IT_IS_WRITTEN}
    return digest({**asked, "before": str(request.before), "only": request.only.parts})
