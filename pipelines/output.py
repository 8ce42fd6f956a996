"""The folder of a review: review.md, references.bib, evidence.json, run.json; written whole or not at all, file by file."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from litrag.core import registry
from litrag.core.errors import BadInput, CannotWrite
from litrag.core.prompt import Prompt
from litrag.core.store import digest
from litrag.core.types import Draft, Evidence, Paper
from litrag.core.versions import versions
from litrag.exports.bibtex import bibliography
from litrag.exports.evidence import evidence_file
from litrag.exports.markdown import review_markdown
from litrag.exports.run_record import LedgerRecord, LedgerRow, RunFile
from litrag.pipelines.planning import PLAN
from litrag.pipelines.state import ReviewRequest, ReviewState
from litrag.pipelines.verifying import VERIFY
from litrag.pipelines.workshop import Workshop
from litrag.pipelines.writing import WRITE
from litrag.rerankers import RERANKERS
from litrag.rewriters import REWRITERS

__all__ = ["FILES", "header", "prepare_folder", "write_outputs"]

FILES: Final = ("review.md", "references.bib", "evidence.json", "run.json")
_PROMPTS: Final = {"plan": PLAN, "write": WRITE, "verify": VERIFY}
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
    """Makes the output folder and tries to write there, before anything is spent.

    Raises CannotWrite; BadInput where it holds the files of another review or edited ones, unless `force`."""
    folder = Path(request.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".litrag-{os.getpid()}"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        raise CannotWrite(folder, error.strerror or str(error)) from error
    there = [name for name in FILES if (folder / name).exists()]
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
    for name, sha in hashes.items():
        if (folder / name).exists() and _sha(folder / name) != sha:
            raise BadInput(f"{folder / name} was edited since litrag wrote it; {remedy}")


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
    """Writes all files; `retracted` says by key what became of papers. Raises CannotWrite; the run can then be resumed into another folder."""
    folder = Path(shop.request.out)
    cited = {key: papers[key] for key in draft.keys}
    evidence = evidence_file(draft, papers, table, retracted).model_dump(mode="json")
    files = {
        "review.md": review_markdown(draft, papers, header(shop, generated=generated)),
        "references.bib": bibliography(cited),
        "evidence.json": json.dumps(evidence, indent=1, ensure_ascii=False) + "\n",
    }
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    files["run.json"] = _run_record(shop, state, hashes).model_dump_json(indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            part = folder / f".{name}.part"
            part.write_text(text, encoding="utf-8", newline="\n")
            part.replace(folder / name)
    except OSError as error:
        remedy = f"free space, then: litrag runs resume {shop.run.id} (or into another folder: -o DIR)"
        raise CannotWrite(folder, error.strerror or str(error), remedy=remedy) from error


def header(shop: Workshop, *, generated: bool) -> str:
    """What stands above the text: who wrote it, what found it, how to get a stronger one."""
    searched = "BM25" + (f" and {shop.embedder.model.rpartition('/')[2]}" if shop.embedder else "")
    found = f"Papers were found with {searched}; every citation is in references.bib and evidence.json."
    if generated:
        write, plan = shop.settings.role_model("write"), shop.settings.role_model("plan") or "clustering"
        return f"Written by litrag with {write} (plan: {plan}).\n{found}\nUse another writer with `--model provider/name`; check each sentence."
    return (
        "Written by litrag without a language model: its sentences are taken from the cited abstracts, grouped by topic.\n"
        f"{found}\nFor a review in a writer's own words, name a model: `litrag review … --model provider/name`"
        " (any LiteLLM model, an own server, or local/…)."
    )


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
        warnings=shop.store.get(state["warnings"], tuple[str, ...]) if state.get("warnings") else (),
        files=dict(hashes),
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
    return digest({**asked, "before": str(request.before), "only": request.only.parts})


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
