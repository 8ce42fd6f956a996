"""The works that a text cites, from its bibliography; abstracts that this lacks come from the review that it was written by, and from libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from litrag.core import sync
from litrag.core.errors import BadInput
from litrag.core.events import Event, Listener, silent
from litrag.core.types import Paper, Query, normalised_title
from litrag.exports.evidence import EvidenceFile

__all__ = ["bibliography_of", "completed"]

_NEAREST: Final = 10  # papers of a library whose titles are nearest, among which the same one is sought


def bibliography_of(
    path: Path, libraries: Sequence[str | Path] | None = None, listen: Listener = silent
) -> dict[str, Paper]:
    """Key -> paper. What has no abstract takes that of evidence.json beside the file, where litrag wrote both, then that of `completed`. Raises BadInput,
    UnknownName."""
    from litrag.retrievers.sources.readers import PAPER_KINDS, read_papers

    file = path.expanduser()
    if not file.exists():
        raise BadInput(f"{path}: no such file; name the file of references ({', '.join(PAPER_KINDS)})")
    if not file.is_file() or not file.name.lower().endswith(tuple(PAPER_KINDS)):
        raise BadInput(f"{path}: no file of references; name a {', '.join(PAPER_KINDS)} file")
    read = read_papers(file, lambda text: listen(Event("verify", text, "warning")))
    found = _with_evidence({paper.key or paper.id: paper for paper in read}, file.parent / "evidence.json")
    names = None if libraries is None else [str(name) for name in libraries]
    return sync.run(completed(found, names))


async def completed(papers: Mapping[str, Paper], names: Sequence[str] | None) -> dict[str, Paper]:
    """The papers, those without an abstract with that which a library has for the same DOI or title; libraries by name, file or folder, None: all that
    were added. Raises UnknownName, BadInput."""
    from litrag.retrievers.sources.library import list_libraries, open_library
    from litrag.retrievers.sources.library_search import LibrarySource

    done = dict(papers)
    bare = {key: paper for key, paper in papers.items() if not paper.abstract}
    if names is None:
        names = [info.name for info in list_libraries() if info.added and not info.problem] if bare else []
    with ExitStack() as stack:
        sources = [LibrarySource(stack.enter_context(closing(open_library(name))), None, name=name) for name in names]
        for key, paper in bare.items():
            for source in sources if paper.title else ():
                found = (await source.search(Query(paper.title), _NEAREST)).papers
                same = next((other for other in found if other.abstract and _same(paper, other)), None)
                if same is not None:
                    done[key] = replace(paper, abstract=same.abstract)
                    break
    return done


def _with_evidence(papers: Mapping[str, Paper], file: Path) -> dict[str, Paper]:
    """The papers with what a review read of them, where key and title are those of its evidence."""
    try:
        records = EvidenceFile.model_validate_json(file.read_bytes()).evidence
    except (OSError, ValueError):
        return dict(papers)
    read = {(record.key, normalised_title(record.paper.title)): record for record in records}
    done = dict(papers)
    for key, paper in papers.items():
        record = read.get((key, normalised_title(paper.title)))
        if record is not None and not paper.abstract:
            done[key] = replace(paper, abstract=record.passage.removeprefix(record.paper.title).strip())
    return done


def _same(one: Paper, other: Paper) -> bool:
    return bool(one.doi and one.doi == other.doi) or normalised_title(one.title) == normalised_title(other.title)
