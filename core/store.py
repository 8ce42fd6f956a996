"""Content-addressed bodies (a run's papers, rankings, drafts) and the request cache: SQLite, JSON and arrays, no pickle."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from litrag.core.database import Database

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from litrag.core.protocols import Vectors

__all__ = ["RequestCache", "Store", "digest", "place_of"]

T = TypeVar("T")


def place_of(value: Any) -> float:
    """A number in [0, 1) by the content of a JSON value: what is held out by it stays so when a data set grows or is shuffled."""
    return int(digest(value)[:8], 16) / 16**8


def digest(value: object) -> str:
    """SHA-256 (hex) of a value's canonical JSON. Raises TypeError for what JSON cannot hold."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cast("Any", kind))


class Store:
    """Bodies under the hash of their bytes, and names for them: `remember` binds a name, which `recall` finds again."""

    def __init__(self, path: Path | str) -> None:
        self._db = Database(
            path,
            "CREATE TABLE IF NOT EXISTS bodies (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;",
        )

    def put(self, value: object, kind: Hashable) -> str:
        """Stores a value of type `kind` (a dataclass, a tuple of them, plain JSON); returns its id. The same value, the same id."""
        body: bytes = _adapter(kind).dump_json(value)
        name = hashlib.sha256(body).hexdigest()
        self._db.write("INSERT OR IGNORE INTO bodies VALUES (?, ?)", (name, body))
        return name

    def get(self, name: str, kind: type[T]) -> T:
        """The value stored under an id. Raises KeyError."""
        rows = self._db.rows("SELECT body FROM bodies WHERE id = ?", (name,))
        if not rows:
            raise KeyError(name)
        value: T = _adapter(cast("Hashable", kind)).validate_json(rows[0][0])
        return value

    def remember(self, name: str, body_id: str) -> None:
        """Binds a name to a stored body; a later binding wins."""
        self._db.write("INSERT OR REPLACE INTO names VALUES (?, ?)", (name, body_id))

    def recall(self, name: str) -> str | None:
        """The body id bound to a name, or None."""
        rows = self._db.rows("SELECT id FROM names WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def close(self) -> None:
        """Closes the file."""
        self._db.close()


class RequestCache:
    """Replies of models under the hash of the full request, and vectors under the hash of (model, kind, text).

    Shared by all runs of a user; safe for several processes."""

    def __init__(self, path: Path | str) -> None:
        self._db = Database(
            path,
            "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, made REAL NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;",
        )

    def reply(self, key: str) -> Mapping[str, Any] | None:
        """The stored reply, or None."""
        rows = self._db.rows("SELECT reply FROM replies WHERE key = ?", (key,))
        return json.loads(rows[0][0]) if rows else None

    def keep_reply(self, key: str, reply: Mapping[str, Any]) -> None:
        """Stores a reply (JSON)."""
        self._db.write("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", (key, json.dumps(reply), time.time()))

    def vectors(self, keys: Sequence[str]) -> dict[str, Vectors]:
        """The stored vectors, each (d,) float32, of those keys that have one."""
        import numpy as np

        found: dict[str, Vectors] = {}
        for start in range(0, len(keys), 500):
            part = [bytes.fromhex(key) for key in keys[start : start + 500]]
            marks = ",".join("?" * len(part))
            for key, vector in self._db.rows(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part):
                found[key.hex()] = np.frombuffer(vector, dtype=np.float32)
        return found

    def keep_vectors(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Stores rows of an (n, d) float32 array under n keys (hex)."""
        rows = [(bytes.fromhex(key), row.astype("float32").tobytes()) for key, row in zip(keys, vectors, strict=True)]
        self._db.write_many("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def counts(self) -> dict[str, int]:
        """How many replies and vectors are stored."""
        return {table: self._db.rows(f"SELECT count(*) FROM {table}")[0][0] for table in ("replies", "vectors")}

    def clear(self) -> None:
        """Forgets everything."""
        self._db.write("DELETE FROM replies")
        self._db.write("DELETE FROM vectors")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()
