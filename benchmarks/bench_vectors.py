"""Search over the 60,416 ACL abstracts: Qdrant Edge's HNSW through litrag against the bare engine and against exact numpy, BM25 through
litrag against bare bm25s, and the peak memory of indexing. The vectors are TF-IDF/SVD of the abstracts, 384 dimensions: real texts, without
the 40 minutes that an embedding model takes. Bounds: 1.2 x the bare engine on the same points, 0.5 x numpy at a recall@100 of .98, 1.2 x bare bm25s, 4 GB."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bm25s
import numpy as np
import qdrant_edge as edge
import Stemmer
from common import machine, ratio
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from litrag.core.paths import data_folder
from litrag.core.types import Query
from litrag.corpora import load
from litrag.corpora.types import last_day
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.exact import ExactIndex
from litrag.retrievers.rows import Row
from litrag.retrievers.vectors import GRAPH, EdgeIndex, payload, point_id

QUERIES, K = 200, 100
if data_folder() is None:
    sys.exit("no data: set LITRAG_DATA")
documents = list(load("acl").corpus())
topics = [topic.query.text for topic in load("acl").topics][:QUERIES]
words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
svd = TruncatedSVD(384, random_state=0)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of unit length, float32."""
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


vectors = unit(svd.fit_transform(words.fit_transform([document.text for document in documents])))
asked = unit(svd.transform(words.transform(topics)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
rows = [Row(document.id, document.id, document.text) for document in documents]
places = {row.id: place for place, row in enumerate(rows)}
anything = Query("")


def bare_shard(folder: Path, point: Callable[[Row, np.ndarray], edge.Point]) -> tuple[edge.EdgeShard, float]:
    """The engine as one would use it without litrag, on the same graph's settings, and the seconds that filling it in took."""
    graph = edge.HnswIndexConfig(*GRAPH)
    config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(size=384, distance=edge.Distance.Dot, hnsw_config=graph))
    folder.mkdir()
    start = time.perf_counter()
    shard = edge.EdgeShard.create(str(folder), config)
    for first in range(0, len(rows), 256):
        points = [
            point(row, vector)
            for row, vector in zip(rows[first : first + 256], vectors[first : first + 256], strict=True)
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))
        shard.flush()
    shard.optimize()
    return shard, time.perf_counter() - start


def timed(call: object, items: object) -> float:
    """Seconds for all items."""
    start = time.perf_counter()
    for item in items:  # type: ignore[attr-defined]
        call(item)  # type: ignore[operator]
    return time.perf_counter() - start


with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    ours = EdgeIndex(Path(folder) / "ours", 384)
    for first in range(0, len(rows), 256):
        ours.upsert(rows[first : first + 256], vectors[first : first + 256])
    ours.optimise()
    built = time.perf_counter() - start
    bare, bare_built = bare_shard(
        Path(folder) / "bare", lambda row, v: edge.Point(point_id(row), v.tolist(), payload(row))
    )
    least, _ = bare_shard(
        Path(folder) / "least", lambda row, v: edge.Point(places[row.id], v.tolist(), {"row": row.id})
    )
    exact = ExactIndex(documents, [last_day(document) for document in documents], vectors)

    def bare_search(shard: edge.EdgeShard, vector: np.ndarray) -> list[tuple[str, float]]:
        """The engine as it is."""
        request = edge.QueryRequest(limit=K, query=edge.Query.Nearest(vector.tolist()), with_payload=True)
        return [(point.payload["row"], point.score) for point in shard.query(request)]

    def numpy_search(vector: np.ndarray) -> np.ndarray:
        """Numpy as one would write it."""
        scores = vectors @ vector
        best = np.argpartition(-scores, K)[:K]
        return best[np.argsort(-scores[best])]

    truth = [{documents[i].id for i in numpy_search(vector)} for vector in asked]
    recall = float(
        np.mean([len(t & {n for n, _ in ours.search(v, anything, K)}) / K for t, v in zip(truth, asked, strict=True)])
    )
    engine, smallest = (
        ratio(
            lambda: timed(lambda v: ours.search(v, anything, K), asked),
            lambda shard=shard: timed(lambda v: bare_search(shard, v), asked),
            rounds=15,
        )
        for shard in (bare, least)
    )
    brute = ratio(
        lambda: timed(lambda v: ours.search(v, anything, K), asked), lambda: timed(numpy_search, asked), rounds=9
    )
    exactly = ratio(
        lambda: timed(lambda v: exact.search(v, anything, K), asked), lambda: timed(numpy_search, asked), rounds=9
    )
    ours.close()
    bare.close()
    least.close()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

index = BM25Index.build((d.id, last_day(d), d.text) for d in documents)
stemmer = Stemmer.Stemmer("english")
plain = bm25s.BM25(k1=0.9, b=0.4, method="lucene")
plain.index(
    bm25s.tokenize([d.text for d in documents], stopwords="en", stemmer=stemmer, show_progress=False),
    show_progress=False,
)


def bare_bm25(text: str) -> object:
    """bm25s as its README shows it."""
    tokens = bm25s.tokenize([text], stopwords="en", stemmer=stemmer, show_progress=False)
    return plain.retrieve(tokens, k=K, show_progress=False)


bm25 = ratio(
    lambda: timed(lambda text: index.search(Query(text), K), topics), lambda: timed(bare_bm25, topics), rounds=5
)
each = 1000 / len(topics)
print(f"{len(documents):,} x 384, k = {K}, {len(topics)} queries; {machine()}")
print(
    f"HNSW through litrag / bare Qdrant Edge: {engine.value:.2f} [{engine.low:.2f}, {engine.high:.2f}]  ({engine.a * each:.2f} / {engine.b * each:.2f} ms)"
)
print(
    f"  the same, its points numbered and without facts to filter by: {smallest.value:.2f} [{smallest.low:.2f}, {smallest.high:.2f}]"
)
print(
    f"HNSW through litrag / exact numpy:      {brute.value:.2f} [{brute.low:.2f}, {brute.high:.2f}]  at recall@{K} {recall:.3f} ({brute.b * each:.2f} ms)"
)
print(f"ExactIndex / exact numpy:               {exactly.value:.2f} [{exactly.low:.2f}, {exactly.high:.2f}]")
print(
    f"BM25 through litrag / bare bm25s:       {bm25.value:.2f} [{bm25.low:.2f}, {bm25.high:.2f}]  ({bm25.a * each:.1f} / {bm25.b * each:.1f} ms)"
)
print(
    f"building, through litrag / bare:        {built / bare_built:.2f}  ({built:.0f} / {bare_built:.0f} s); peak {peak:.2f} GB, {before:.2f} GB before"
)
sys.exit(engine.value > 1.2 or brute.value > 0.5 or recall < 0.98 or bm25.value > 1.2 or peak > 4)
