"""Vectors on disk in Qdrant Edge, in process: one shard a library and embedder; resumable, filtered by date and id."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from litrag.core.errors import EnvironmentFault
from litrag.core.paths import made
from litrag.core.types import Paper, Query

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["EdgeIndex", "VectorIndex", "point_id"]


class VectorIndex(Protocol):
    """Points of unit vectors under UUIDs; implemented in process here, by a server later."""

    def missing(self, points: Sequence[str]) -> list[str]:
        """Those of the points that are not stored."""

    def upsert(self, papers: Sequence[Paper], vectors: Vectors) -> None:
        """Stores the rows of an (n, d) float32 array, one a paper."""

    def search(self, vector: Vectors, query: Query, k: int) -> list[tuple[str, float]]:
        """Ids of the best `k` papers with their dot products, older than `query.before`, without `query.exclude`."""


def point_id(paper: Paper) -> str:
    """A UUID that changes when text or date do, so that a changed paper is stored anew."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{paper.id}\0{_day(paper)}\0{paper.text}"))


def _day(paper: Paper) -> int:
    """The latest possible date as YYYYMMDD, 0 where unknown."""
    return int(paper.latest_date.strftime("%Y%m%d")) if paper.latest_date else 0


class EdgeIndex:
    """A Qdrant Edge shard. One process at a time: raises EnvironmentFault when another one has it open."""

    def __init__(self, folder: Path, dimensions: int | None = None) -> None:
        """Opens the shard, or makes one of `dimensions` where there is none. Raises FileNotFoundError for neither."""
        import qdrant_edge as edge

        self._edge = edge
        try:
            if (folder / "edge_config.json").is_file():
                self._shard = edge.EdgeShard.load(str(folder))
            elif dimensions is None:
                raise FileNotFoundError(folder)
            else:
                vectors = edge.EdgeVectorParams(size=dimensions, distance=edge.Distance.Dot)
                self._shard = edge.EdgeShard.create(str(made(folder)), edge.EdgeConfig(vectors=vectors))
        except FileNotFoundError:
            raise
        except Exception as error:  # the binding raises a bare Exception for everything
            if "WouldBlock" in str(error):
                raise EnvironmentFault(
                    f"the vectors in {folder} are in use by another process; wait for it to end"
                ) from error
            raise EnvironmentFault(
                f"the vectors in {folder} cannot be opened ({error}); remove the folder and fill them in again"
            ) from error

    def __len__(self) -> int:
        return int(self._shard.count(self._edge.CountRequest(exact=True)))

    def missing(self, points: Sequence[str]) -> list[str]:
        """Those of the points that are not stored."""
        stored: set[str] = set()
        for start in range(0, len(points), 1000):
            part: list[int | uuid.UUID | str] = list(points[start : start + 1000])
            stored.update(str(record.id) for record in self._shard.retrieve(part, False, False))
        return [point for point in points if point not in stored]

    def upsert(self, papers: Sequence[Paper], vectors: Vectors) -> None:
        """Stores rows and flushes: what was upserted survives a kill."""
        rows = [
            self._edge.Point(point_id(paper), vector.tolist(), {"day": _day(paper), "paper": paper.id})
            for paper, vector in zip(papers, vectors, strict=True)
        ]
        self._shard.update(self._edge.UpdateOperation.upsert_points(rows))
        self._shard.flush()

    def prune(self, keep: Collection[str]) -> None:
        """Deletes all points but `keep`."""
        offset: Any = None
        doomed: list[int | uuid.UUID | str] = []
        while True:
            records, offset = self._shard.scroll(
                self._edge.ScrollRequest(offset=offset, limit=1000, with_payload=False, with_vector=False)
            )
            doomed.extend(str(record.id) for record in records if str(record.id) not in keep)
            if offset is None:
                break
        if doomed:
            self._shard.update(self._edge.UpdateOperation.delete_points(doomed))
            self._shard.flush()

    def optimise(self) -> None:
        """Builds the HNSW graph."""
        self._shard.optimize()

    def search(self, vector: Vectors, query: Query, k: int) -> list[tuple[str, float]]:
        """Ids of the best `k` papers with their cosines; papers without a date pass every date cut."""
        edge = self._edge
        must, must_not = [], []
        if query.before is not None:
            must.append(edge.FieldCondition("day", range=edge.RangeFloat(lt=int(query.before.strftime("%Y%m%d")))))
        if query.exclude:
            must_not.append(edge.FieldCondition("paper", match=edge.MatchAny(sorted(query.exclude))))
        where = edge.Filter(must=must, must_not=must_not)
        nearest = edge.Query.Nearest(vector.tolist())
        found = self._shard.query(edge.QueryRequest(limit=k, query=nearest, filter=where, with_payload=True))
        return [(str((point.payload or {})["paper"]), float(point.score)) for point in found]

    def close(self) -> None:
        """Flushes and frees the shard for other processes."""
        self._shard.close()
