"""The snowball of a review: which graph it runs along and how candidates are scored, from the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.agents.one_pass import RecordedGraph
from litrag.core.types import Paper
from litrag.retrievers.snowball import EmbeddingScorer, Snowball, WordScorer
from litrag.retrievers.sources import online_sources
from litrag.retrievers.sources.citation_file import CitationFile, read_citations

if TYPE_CHECKING:
    from litrag.pipelines.workshop import Workshop

__all__ = ["GRAPHS", "snowball_of"]

GRAPHS: Final = ("semantic-scholar", "openalex")


def snowball_of(shop: Workshop, warn: Callable[[str], None]) -> Snowball | None:
    """The snowball in force, each of its requests a search of the run; None where no hop is asked for. Raises BadInput for a citation file
    that cannot be read."""
    settings = shop.settings
    if not settings.snowball:
        return None
    name = settings.snowball_graph
    if name in GRAPHS:
        assert shop.web is not None
        graph: Any = online_sources([name], settings, shop.web)[0]
    else:
        graph = CitationFile.over(read_citations(Path(name).expanduser(), warn), _papers_of(shop))
        if shop.request.before is not None:
            graph = graph.before(shop.request.before)
        name = Path(name).name
    scorer = EmbeddingScorer(shop.embedder) if shop.embedder is not None else WordScorer()
    recorded = RecordedGraph(graph, name, shop.recorded_search)
    return Snowball(graph=recorded, graph_name=name, scorer=scorer, hops=settings.snowball)


def _papers_of(shop: Workshop) -> Callable[[Sequence[str]], list[Paper]]:
    """The records of ids in the run's libraries."""

    def papers(ids: Sequence[str]) -> list[Paper]:
        found: dict[str, Paper] = {}
        for library in shop.libraries:
            found |= {paper.id: paper for paper in library.table.known([name for name in ids if name not in found])}
        return [found[name] for name in ids if name in found]

    return papers
