"""A retrieval data set of our own in BEIR's layout: the forty papers, a query a field."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from fakes.texts import papers

__all__ = ["write_beir", "write_learnable"]


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


def write_learnable(folder: Path) -> Path:
    """In the words that the tiny models know, forty texts and four queries: relevant are those that begin with "it read"."""
    (folder / "qrels").mkdir(parents=True)
    queries = {"q0": "the cat", "q1": "the dog", "q2": "the mat", "q3": "the log"}
    ends = ("sat on the log", "sat on the mat", "cites the papers", "is searched", "read it")
    texts = {
        f"{query}-{i}": f"{'it sat' if i % 2 else 'it read'} {text} {ends[i % 5]} {i}"
        for query, text in queries.items()
        for i in range(10)
    }
    for name, rows in (("corpus", texts), ("queries", queries)):
        lines = (json.dumps({"_id": key, "title": "", "text": text}) for key, text in rows.items())
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    relevant = "".join(f"{query}\t{query}-{i}\t1\n" for query in queries for i in range(0, 10, 2))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{relevant}")
    return folder
