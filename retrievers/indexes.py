"""Where the vectors of a library are: in process, on disk beside it, or on a Qdrant server. Chosen here and nowhere else.

<library>/vectors/<model>/            Qdrant Edge, and litrag.json: how far the vectors are
<library>/vectors/<model>@<server>/   litrag.json, and `collection`: what the collection on that server is called"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from litrag.core.errors import CannotWrite
from litrag.core.paths import made
from litrag.retrievers.vectors import EdgeIndex, VectorIndex

__all__ = ["VectorPlace", "model_slug"]


@dataclass(frozen=True, slots=True)
class VectorPlace:
    """The vectors of the library in `library` by `model`: on the Qdrant server at `url`, in process where that is empty.

    The name of a collection is drawn once and kept beside the library: two people who call different libraries alike do not prune each
    other's vectors on one server."""

    library: Path
    model: str
    url: str = ""

    @property
    def folder(self) -> Path:
        """The folder that tells how far the vectors are and, in process, holds them."""
        server = f"@{hashlib.sha256(self.url.rstrip('/').encode()).hexdigest()[:8]}" if self.url else ""
        return self.library / "vectors" / f"{self.slug}{server}"

    @property
    def slug(self) -> str:
        """The model string as a file name."""
        return model_slug(self.model)

    def open(self, dimensions: int | None = None) -> VectorIndex:
        """Opens the index, or makes one of `dimensions`. Raises FileNotFoundError where there is none and no dimensions are given,
        EnvironmentFault."""
        if not self.url:
            return EdgeIndex(self.folder, dimensions)
        from litrag.retrievers.qdrant_server import ServerIndex

        return ServerIndex(self.url, self._collection(make=dimensions is not None), dimensions)

    def copied(self) -> VectorIndex:
        """A copy to read of vectors in process that another process holds. Raises VectorsInUse."""
        return EdgeIndex.copy_of(self.folder)

    def _collection(self, *, make: bool) -> str:
        file = self.folder / "collection"
        try:
            return file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            if not make:
                raise
        name = f"litrag-{_slug(self.library.name)}-{uuid.uuid4().hex[:8]}-{self.slug}"[:200]
        try:
            with (made(self.folder) / "collection").open("x", encoding="utf-8") as new:
                new.write(name)
        except FileExistsError:  # another process was quicker
            return file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CannotWrite(file, error.strerror or str(error), remedy="free space, or set LITRAG_HOME") from error
        return name


def model_slug(model: str) -> str:
    """A model string as a file name: local/all-MiniLM-L6-v2 -> all-MiniLM-L6-v2."""
    return _slug(model.removeprefix("local/"))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)
