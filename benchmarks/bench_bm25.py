"""BM25 over the 60,416 ACL abstracts: a library against bare bm25s on the same texts; peak memory. Bounds: 30 s, 1.5 GB."""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import tempfile
import time

from litrag.core.paths import data_folder
from litrag.retrievers.sources.library import add_library

data = data_folder()
if data is None:
    sys.exit("no data: set LITRAG_DATA")
path = data / "acl" / "papers.jsonl.gz"
with tempfile.TemporaryDirectory() as folder:
    os.environ["LITRAG_HOME"] = folder
    start = time.perf_counter()
    library = add_library([path])
    ours = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    library.close()

import bm25s  # noqa: E402
import Stemmer  # noqa: E402

start = time.perf_counter()
with gzip.open(path, "rt", encoding="utf-8") as lines:
    texts = [record["title"] + "\n" + record["abstract"] for record in map(json.loads, lines)]
engine = bm25s.BM25(k1=0.9, b=0.4)
engine.index(
    bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False), show_progress=False
)
bare = time.perf_counter() - start
print(
    f"library of {len(texts):,} abstracts / bare bm25s: {ours / bare:.2f}  ({ours:.1f} s / {bare:.1f} s; peak {peak:.2f} GB)"
)
sys.exit(ours > 30 or peak > 1.5)
