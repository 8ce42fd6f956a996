"""Vectors on a Qdrant server or cluster, by qdrant-client over HTTP: one collection a library and embedder."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from litrag.core.errors import EnvironmentFault
from litrag.core.types import Filter, Query
from litrag.retrievers.normal_forms import day_number
from litrag.retrievers.rows import Row
from litrag.retrievers.vectors import payload, point_id

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

    from litrag.core.protocols import Vectors

__all__ = ["ServerIndex"]

T = TypeVar("T")
_PAGE: Final = 1000
_MOST_VENUES: Final = 100_000
_FACETS: Final = {"day": "integer", "year": "integer", "venue": "keyword", "source": "keyword", "paper": "keyword"}


class ServerIndex:
    """Implements `VectorIndex` over one collection of unit vectors, compared by their dot product. The server builds its graph by
    itself, in the background; what is not in it yet is compared in full, so a search is complete at any time.

    The key is that of QDRANT_API_KEY and is kept nowhere. Raises EnvironmentFault, naming the server and the remedy, when it is out of
    reach, refuses, or holds vectors of another length."""

    def __init__(
        self,
        url: str,
        collection: str,
        dimensions: int | None = None,
        *,
        client: QdrantClient | None = None,
        batch: int = 256,
        timeout: int = 60,
    ) -> None:
        """Opens the collection, or makes one of `dimensions` where there is none. Raises FileNotFoundError for neither.

        `batch` points go out in one request; a request has `timeout` seconds. A ready `client` is used as it is and stays open."""
        self._url, self.collection, self._batch, self._timeout = url, collection, batch, timeout
        self._owned, self._indexed = client is None, False
        self._client = client or self._connected()
        try:
            size = self._size()
            if size is None:
                if dimensions is None:
                    raise FileNotFoundError(collection)
                size = self._create(dimensions)
            self._dimensions = size
            if dimensions is not None:
                self._check(dimensions)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return self._translated(lambda: self._client.count(self.collection, exact=True)).count

    def missing(self, points: Sequence[str]) -> list[str]:
        """Those of the points that are not stored."""
        stored: set[str] = set()
        for start in range(0, len(points), _PAGE):
            part = list(points[start : start + _PAGE])
            stored.update(str(record.id) for record in self._retrieved(part))
        return [point for point in points if point not in stored]

    def upsert(self, rows: Sequence[Row], vectors: Vectors) -> None:
        """Stores vectors, `batch` a request; each is on the server's disk when the next goes out."""
        from qdrant_client import models

        if not rows:
            return
        self._check(vectors.shape[1])
        self._index_payload()
        for start in range(0, len(rows), self._batch):
            part = slice(start, start + self._batch)
            points = [
                models.PointStruct(id=point_id(row), vector=vector.tolist(), payload=payload(row))
                for row, vector in zip(rows[part], vectors[part], strict=True)
            ]
            self._upserted(points)

    def prune(self, keep: Collection[str]) -> None:
        """Deletes all points but `keep`."""
        from qdrant_client import models

        doomed: list[models.ExtendedPointId] = []
        offset: Any = None
        while True:
            records, offset = self._page(offset)
            doomed.extend(record.id for record in records if str(record.id) not in keep)
            if offset is None:
                break
        for start in range(0, len(doomed), _PAGE):
            chosen = models.PointIdsList(points=doomed[start : start + _PAGE])
            self._deleted(chosen)

    def optimise(self) -> None:
        """Nothing: the server does it by itself."""

    def search(self, vector: Vectors, query: Query, k: int) -> list[tuple[str, float]]:
        """Ids of the best `k` rows with their cosines; papers without a date pass every date cut."""
        self._check(len(vector))
        where = self._where(query)
        if where is None or k <= 0:
            return []
        found = self._translated(
            lambda: self._client.query_points(
                self.collection, query=vector.tolist(), query_filter=where, limit=k, with_payload=["row"]
            )
        )
        return [(str((point.payload or {})["row"]), float(point.score)) for point in found.points]

    def close(self) -> None:
        """Closes the connection. Closing twice is nothing."""
        if self._owned:
            self._owned = False
            self._client.close()

    def _connected(self) -> QdrantClient:
        from qdrant_client import QdrantClient

        key = os.environ.get("QDRANT_API_KEY") or None
        return QdrantClient(url=self._url, api_key=key, timeout=self._timeout, check_compatibility=False)

    def _size(self) -> int | None:
        """The length of the collection's vectors; None where there is no collection."""
        if not self._translated(lambda: self._client.collection_exists(self.collection)):
            return None
        vectors = self._translated(lambda: self._client.get_collection(self.collection)).config.params.vectors
        size = getattr(vectors, "size", None)
        if not isinstance(size, int):
            raise EnvironmentFault(
                f"{self._where_it_is} was not made by litrag; delete it there, or name another server"
            )
        return size

    def _create(self, dimensions: int) -> int:
        from qdrant_client import models

        vectors = models.VectorParams(size=dimensions, distance=models.Distance.DOT)
        try:
            self._translated(lambda: self._client.create_collection(self.collection, vectors_config=vectors))
        except EnvironmentFault:
            size = self._size()  # another process may have made it in the meantime
            if size is None:
                raise
            return size
        return dimensions

    def _index_payload(self) -> None:
        """Indexes what is filtered by; a filter by a field without an index reads everything, and some servers refuse it."""
        if self._indexed:
            return
        from qdrant_client import models

        for name, kind in _FACETS.items():
            schema = models.PayloadSchemaType(kind)
            self._indexes(name, schema)
        self._indexed = True

    def _check(self, dimensions: int) -> None:
        if dimensions != self._dimensions:
            raise EnvironmentFault(
                f"{self._where_it_is} holds vectors of {self._dimensions} numbers, the embedder gives {dimensions}; delete the"
                " collection there and fill it in again"
            )

    def _where(self, query: Query) -> models.Filter | None:
        """The conditions of a query; None where nothing can meet them."""
        from qdrant_client import models

        must = self._admitting(query.only)
        if must is None:
            return None
        if query.before is not None:
            must.append(models.FieldCondition(key="day", range=models.Range(lt=day_number(query.before))))
        barred = models.MatchAny(any=sorted(query.exclude))
        must_not: list[models.Condition] = [models.FieldCondition(key="paper", match=barred)] if query.exclude else []
        return models.Filter(must=must, must_not=must_not)

    def _admitting(self, only: Filter) -> list[models.Condition] | None:
        """The conditions of `Filter.admits`. A venue is asked for by the full names that hold it, which the server's index lists:
        matching parts of names is not to be had on every version."""
        from qdrant_client import models

        found: list[models.Condition] = []
        if only.first_year or only.last_year:
            years = models.Range(gte=max(1, only.first_year), lte=only.last_year or None)
            found.append(models.FieldCondition(key="year", range=years))
        if only.venues:
            parts = [name.casefold() for name in only.venues]
            names = [name for name in self._venues() if any(part in name for part in parts)]
            if not names:
                return None
            found.append(models.FieldCondition(key="venue", match=models.MatchAny(any=names)))
        if only.sources:
            chosen = models.MatchAny(any=sorted(only.sources))
            found.append(models.FieldCondition(key="source", match=chosen))
        return found

    def _venues(self) -> list[str]:
        hits = self._translated(lambda: self._client.facet(self.collection, "venue", limit=_MOST_VENUES)).hits
        return [str(hit.value) for hit in hits]

    def _retrieved(self, points: list[str]) -> list[Any]:
        return self._translated(
            lambda: self._client.retrieve(self.collection, points, with_payload=False, with_vectors=False)
        )

    def _page(self, offset: Any) -> tuple[list[Any], Any]:
        return self._translated(
            lambda: self._client.scroll(
                self.collection, limit=_PAGE, offset=offset, with_payload=False, with_vectors=False
            )
        )

    def _upserted(self, points: list[models.PointStruct]) -> None:
        self._translated(lambda: self._client.upsert(self.collection, points, wait=True))

    def _deleted(self, chosen: models.PointIdsList) -> None:
        self._translated(lambda: self._client.delete(self.collection, chosen, wait=True))

    def _indexes(self, name: str, schema: models.PayloadSchemaType) -> None:
        self._translated(lambda: self._client.create_payload_index(self.collection, name, schema, wait=True))

    @property
    def _where_it_is(self) -> str:
        return f"the collection {self.collection} of the Qdrant server {self._url}"

    def _translated(self, call: Callable[[], T]) -> T:
        """Foreign errors, which end in a page of text, as one line."""
        from qdrant_client.common.client_exceptions import QdrantException
        from qdrant_client.http.exceptions import ApiException

        try:
            return call()
        except (ApiException, QdrantException, ValueError) as error:
            raise EnvironmentFault(f"{self._where_it_is} {_reason(error, self._timeout)}") from error


def _reason(error: Exception, timeout: int) -> str:
    import httpx
    from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

    source, status = getattr(error, "source", None), getattr(error, "status_code", None)
    line = " ".join(str(error if source is None else source).split())[:200]
    if isinstance(source, httpx.TimeoutException):
        return f"did not answer within {timeout} s; try again later"
    if isinstance(source, httpx.TransportError):
        return f"is out of reach ({line}); start the server, or correct --qdrant-url"
    if status in (401, 403):
        return "cannot be opened: the server refuses the key; set QDRANT_API_KEY to one that may read and write"
    if status == 404:
        return "is not there; fill it in with `litrag library update NAME --vectors`, or correct --qdrant-url if that is no Qdrant"
    if isinstance(error, ResourceExhaustedResponse) or (isinstance(status, int) and (status == 429 or status >= 500)):
        return f"cannot be used for now ({line}); try again later"
    return f"cannot be used ({line}); check --qdrant-url and the server's log"
