"""A Qdrant server in process: the client's own local mode, which keeps what it holds when a connection closes."""

from __future__ import annotations

from qdrant_client import QdrantClient

__all__ = ["LastingClient"]


class LastingClient(QdrantClient):
    """The local mode as a server is: it outlives the connections to it."""

    def close(self, *_: object, **__: object) -> None:
        """Stays open."""
