"""What a search did not find, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

from litrag.core.protocols import SourceResult
from litrag.core.types import Paper
from litrag.pipelines.workshop import Workshop
from litrag.retrievers.screening import called, names_of

__all__ = ["nothing_found", "unmatched"]


def unmatched(shop: Workshop, excluded: Sequence[Paper]) -> list[str]:
    """What was to be excluded and names neither a paper of the libraries, which did not give it, nor one that was found and left out."""
    names = [name for name in shop.request.exclude if not any(called(name) & names_of(paper) for paper in excluded)]
    held = {paper.id for library in shop.libraries for paper in library.table.known(names)}
    return [name for name in names if name not in held]


def nothing_found(shop: Workshop, ids: Sequence[str], newer: Sequence[Paper]) -> str:
    """Why no paper can be cited: no source answered, or none has any that fits."""
    results = [shop.store.get(name, SourceResult) for name in ids]
    faults = list(dict.fromkeys(warning for result in results for warning in result.warnings))
    if faults and all(result.warnings and not result.papers for result in results):
        return f"no source answered: {'; '.join(faults[:3])}"
    searched = ", ".join(dict.fromkeys(result.source for result in results)) or "nothing"
    late = f"; {len(newer)} papers are not older than --before {shop.request.before}" if newer else ""
    why = "".join(f"; {fault}" for fault in faults[:3])
    return f"no paper found in {searched} with {len({r.query.text for r in results})} queries{late}{why}; add papers or loosen the filters"
