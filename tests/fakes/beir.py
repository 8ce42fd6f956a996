"""A retrieval data set of our own in BEIR's layout: the forty papers, a query a field."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from fakes.texts import papers

__all__ = ["write_beir"]


def write_beir(folder: Path) -> Path:
    """Queries q0 to q3, one a field; relevant are the field's even papers (grade 1) and the first (grade 2)."""
    (folder / "qrels").mkdir(parents=True)
    with gzip.open(folder / "corpus.jsonl.gz", "wt", encoding="utf-8") as file:
        for paper in papers():
            file.write(json.dumps({"_id": paper.id, "title": paper.title, "text": paper.abstract}) + "\n")
    texts = ("dog scent training", "aerial pictures by drones", "moisture of soil", "planning under limited time")
    queries = [json.dumps({"_id": f"q{i}", "text": text}) for i, text in enumerate(texts)]
    (folder / "queries.jsonl").write_text("\n".join([*queries, '{"_id": "unjudged", "text": "x"}']))
    lines = [f"q{f}\t{f}-{i}\t{1 + (i == 0)}" for f in range(4) for i in range(0, 10, 2)]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(lines) + "\n")
    return folder
