"""Vectors on disk in Qdrant Edge, in process: one shard a library and embedder; resumable, filtered by date, id, year, venue, source."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from litrag.core.errors import EnvironmentFault, VectorsInUse
from litrag.core.paths import made
from litrag.core.types import Filter, Query
from litrag.retrievers.normal_forms import day_number
from litrag.retrievers.rows import Row

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["GRAPH", "EdgeIndex", "VectorIndex", "payload", "point_id"]

T = TypeVar("T")
# HNSW (Malkov and Yashunin, 2018): links a point, candidates while building and searching, and kilobytes below which all vectors are
# compared. The engine's own 16 and 100 find .965 of the nearest 100 of 60,000 hard vectors (benchmarks/bench_vectors.py); these find
# .99 in the same time and take a fifth longer to build.
GRAPH: Final = (32, 128, 10_000)


class VectorIndex(Protocol):
    """Points of unit vectors under UUIDs; in process here, on a server in `qdrant_server`; `indexes` chooses."""

    def __len__(self) -> int: ...

    def missing(self, points: Sequence[str]) -> list[str]:
        """Those of the points that are not stored."""

    def upsert(self, rows: Sequence[Row], vectors: Vectors) -> None:
        """Stores the vectors of an (n, d) float32 array, one a row."""

    def search(self, vector: Vectors, query: Query, k: int) -> list[tuple[str, float]]:
        """Ids of the best `k` rows with their dot products; their papers are older than `query.before`, not in `query.exclude`, and
        admitted by `query.only`."""

    def prune(self, keep: Collection[str]) -> None:
        """Deletes all points but `keep`."""

    def optimise(self) -> None:
        """Makes searching quick once all is stored."""

    def close(self) -> None:
        """Lets go of the index; closing twice is nothing."""


def point_id(row: Row) -> str:
    """A UUID that changes when the text or a fact that filters ask for does, so that a changed row is stored anew."""
    facts = (row.id, row.paper, row.day, row.text, row.year, row.venue, row.source)
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\0".join(map(str, facts))))


@dataclass(slots=True)
class _Shard:
    """An open shard and how many indexes of this process hold it."""

    engine: Any
    holders: int = 0


# A shard can be opened once a process, so two searches of one process (two reviews at once, a notebook) have to share it. Its
# engine takes concurrent calls.
_SHARDS: Final[dict[Path, _Shard]] = {}
_LOCK: Final = threading.Lock()


class EdgeIndex:
    """A Qdrant Edge shard, shared within this process. Raises VectorsInUse when another process has it open, EnvironmentFault when it is
    damaged, or when it holds vectors of another length."""

    def __init__(self, folder: Path, dimensions: int | None = None) -> None:
        """Opens the shard, or makes one of `dimensions` where there is none. Raises FileNotFoundError for neither."""
        import qdrant_edge as edge

        self._edge, self._folder, self._closed = edge, folder.resolve(), False
        with _LOCK:
            shard = _SHARDS.get(self._folder)
            if shard is None:
                shard = _SHARDS[self._folder] = _Shard(self._translated(partial(self._open, dimensions)))
            shard.holders += 1
        self._shard = shard.engine
        self._copy: TemporaryDirectory[str] | None = None

    @classmethod
    def copy_of(cls, folder: Path, *, most: int = 2 << 30) -> EdgeIndex:
        """A copy to read of a shard that another process has open; it goes when it is closed. Raises VectorsInUse for one of more than
        `most` bytes, and where it changes while it is copied."""
        place = TemporaryDirectory(prefix="litrag-vectors-", ignore_cleanup_errors=True)
        try:
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            if size > most:
                raise VectorsInUse(
                    f"the vectors in {folder} are in use by another process, and {size:,} bytes are many to copy"
                )
            copied = cls(Path(shutil.copytree(folder, Path(place.name) / folder.name)))
        except (OSError, shutil.Error) as error:
            place.cleanup()
            raise VectorsInUse(f"the vectors in {folder} are in use by another process, which changes them") from error
        except BaseException:
            place.cleanup()
            raise
        copied._copy = place
        return copied

    def _open(self, dimensions: int | None) -> Any:
        edge = self._edge
        if (self._folder / "edge_config.json").is_file():
            return edge.EdgeShard.load(str(self._folder))
        if dimensions is None:
            raise FileNotFoundError(self._folder)
        graph = edge.HnswIndexConfig(*GRAPH)
        vectors = edge.EdgeVectorParams(size=dimensions, distance=edge.Distance.Dot, hnsw_config=graph)
        return edge.EdgeShard.create(str(made(self._folder)), edge.EdgeConfig(vectors=vectors))

    def __len__(self) -> int:
        return self._translated(lambda: int(self._shard.count(self._edge.CountRequest(exact=True))))

    def missing(self, points: Sequence[str]) -> list[str]:
        """Those of the points that are not stored."""
        stored: set[str] = set()
        for start in range(0, len(points), 1000):
            part: list[int | uuid.UUID | str] = list(points[start : start + 1000])
            records = self._translated(partial(self._shard.retrieve, part, False, False))
            stored.update(str(record.id) for record in records)
        return [point for point in points if point not in stored]

    def upsert(self, rows: Sequence[Row], vectors: Vectors) -> None:
        """Stores vectors and flushes: what was upserted survives a kill."""
        points = [
            self._edge.Point(point_id(row), vector.tolist(), payload(row))
            for row, vector in zip(rows, vectors, strict=True)
        ]
        self._update(self._edge.UpdateOperation.upsert_points(points))

    def prune(self, keep: Collection[str]) -> None:
        """Deletes all points but `keep`."""
        offset: Any = None
        doomed: list[int | uuid.UUID | str] = []
        while True:
            request = self._edge.ScrollRequest(offset=offset, limit=1000, with_payload=False, with_vector=False)
            records, offset = self._translated(partial(self._shard.scroll, request))
            doomed.extend(str(record.id) for record in records if str(record.id) not in keep)
            if offset is None:
                break
        if doomed:
            self._update(self._edge.UpdateOperation.delete_points(doomed))

    def optimise(self) -> None:
        """Builds the HNSW graph."""
        self._translated(self._shard.optimize)

    def search(self, vector: Vectors, query: Query, k: int) -> list[tuple[str, float]]:
        """Ids of the best `k` rows with their cosines; papers without a date pass every date cut."""
        edge = self._edge
        nearest = edge.Query.Nearest(vector.tolist())
        request = edge.QueryRequest(limit=k, query=nearest, filter=self._where(query), with_payload=["row"])
        found = self._translated(partial(self._shard.query, request))
        return [(str((point.payload or {})["row"]), float(point.score)) for point in found]

    def _where(self, query: Query) -> Any:
        if not query.restricted:
            return None
        edge = self._edge
        must = self._admitting(query.only)
        if query.before is not None:
            must.append(edge.FieldCondition("day", range=edge.RangeFloat(lt=day_number(query.before))))
        barred = edge.MatchAny(sorted(query.exclude))
        must_not = [edge.FieldCondition("paper", match=barred)] if query.exclude else []
        return edge.Filter(must=must, must_not=must_not)

    def _admitting(self, only: Filter) -> list[Any]:
        """The conditions of `Filter.admits`."""
        edge, field = self._edge, self._edge.FieldCondition
        found: list[Any] = []
        if only.first_year or only.last_year:
            last = only.last_year or None
            found.append(field("year", range=edge.RangeFloat(gte=max(1, only.first_year), lte=last)))
        if only.venues:
            names = sorted(name.casefold() for name in only.venues)
            holding = [field("venue", match=edge.MatchSubstring(name)) for name in names]
            found.append(edge.Filter(should=holding))
        if only.sources:
            found.append(field("source", match=edge.MatchAny(sorted(only.sources))))
        return found

    def close(self) -> None:
        """Lets go of the shard; the last one in this process frees it for others. Closing twice is nothing."""
        with _LOCK:
            if self._closed:
                return
            self._closed = True
            shard = _SHARDS[self._folder]
            shard.holders -= 1
            if not shard.holders:
                del _SHARDS[self._folder]
                self._translated(shard.engine.close)
        if self._copy is not None:
            self._copy.cleanup()

    def _update(self, operation: Any) -> None:
        self._translated(partial(self._shard.update, operation))
        self._translated(self._shard.flush)

    def _translated(self, call: Callable[[], T]) -> T:
        """The binding raises a bare Exception for everything."""
        try:
            return call()
        except (FileNotFoundError, EnvironmentFault):
            raise
        except Exception as error:
            where, text = f"the vectors in {self._folder}", " ".join(str(error).split())
            if "WouldBlock" in text:
                raise VectorsInUse(f"{where} are in use by another process; wait for it to end") from error
            if "dimension" in text:
                remedy = "the embedding model changed; remove the folder and fill them in again"
                raise EnvironmentFault(f"{where} do not fit the embedder ({text}): {remedy}") from error
            remedy = "free space, or remove the folder and fill them in again"
            raise EnvironmentFault(f"{where} cannot be used ({text[:200]}); {remedy}") from error


def payload(row: Row) -> dict[str, str | int]:
    """What searches filter by and give back; the venue as `Filter.admits` compares it."""
    venue = row.venue.casefold()
    return {"row": row.id, "paper": row.paper, "day": row.day, "year": row.year, "venue": venue, "source": row.source}
