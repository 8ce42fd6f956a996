"""Papers on a subject, as a table and as BibTeX. `sources=["arxiv"]` would search the scholarly web, too; here it is a file of papers."""

from pathlib import Path

from litrag.core.types import Filter
from litrag.pipelines.searching import find, shown

LIBRARY = Path(__file__).parent / "library.jsonl"

found = find("rewriting questions of a conversation for retrieval", k=5, library=LIBRARY, only=Filter(first_year=2021))
Path("found.bib").write_text(shown(found, "bib") + "\n", encoding="utf-8")
print(shown(found, "table"))
print(f"{len(found.papers)} entries written to found.bib; every paper with its scores:")
for paper, hit in zip(found.papers, found.hits, strict=True):
    print(f"  {paper.id:<20} " + ", ".join(f"{score.source} {score.value:.3f}" for score in hit.scores))
