"""What an MCP client may read by address: the list of runs, the libraries, and three files of each finished review."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from litrag.core.errors import UnknownName
from litrag.pipelines.exporting import file_of
from litrag.pipelines.runs import Run, find_run, list_runs

__all__ = ["FILES", "ROOTS", "Content", "read_resource"]

ROOTS: Final[Mapping[str, str]] = {
    "litrag://runs": "All reviews, newest first: id, status, when.",
    "litrag://libraries": "The libraries that were added: name, number of papers.",
}
FILES: Final[Mapping[str, str]] = {
    "review.md": "text/markdown",
    "evidence.json": "application/json",
    "run.json": "application/json",
}
_RUN: Final = re.compile(r"litrag://runs/([a-z0-9-]+)/([a-z.]+)")


@dataclass(frozen=True, slots=True)
class Content:
    """The text of a resource."""

    kind: str
    text: str


def read_resource(address: str) -> Content:
    """What stands at an address. Raises UnknownName, BadInput (an unfinished review)."""
    if address == "litrag://runs":
        return Content("application/json", _json([_row(run) for run in list_runs()]))
    if address == "litrag://libraries":
        return Content("application/json", _json(_libraries()))
    match = _RUN.fullmatch(address)
    if match is None or match[2] not in FILES:
        raise UnknownName("resource", address[:200], (*ROOTS, *(f"litrag://runs/ID/{name}" for name in FILES)))
    return Content(FILES[match[2]], file_of(find_run(match[1]), match[2]).decode())


def _row(run: Run) -> dict[str, str]:
    status, note = run.state()
    return {"run_id": run.id, "status": status, "note": note, "started": f"{run.started:%Y-%m-%d %H:%M}"}


def _libraries() -> list[dict[str, str | int]]:
    from litrag.retrievers.sources.library import list_libraries

    return [
        {"name": info.name, "papers": info.papers, **({"problem": info.problem} if info.problem else {})}
        for info in list_libraries()
        if info.added
    ]


def _json(rows: object) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
