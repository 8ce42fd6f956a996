"""One way to open SQLite: write-ahead log, patient with other processes, usable from worker threads, errors translated."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import stamina

from litrag.core.errors import BadInput, CannotWrite
from litrag.core.paths import made

__all__ = ["Database"]

_PATIENCE: Final = 30.0


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


class Database:
    """A SQLite file (or ":memory:") with its schema. Raises CannotWrite for a full disk or a read-only place, BadInput for
    a file that is no database.

    A write is on its way to the operating system when `write` returns, so it outlives a killed process."""

    def __init__(self, path: Path | str, schema: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        if isinstance(path, Path):
            made(path.parent)
        with self._translated():
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
            self._opened(schema)

    @stamina.retry(on=_is_locked, attempts=None, timeout=_PATIENCE, wait_initial=0.01, wait_max=0.2, wait_jitter=0.01)
    def _opened(self, schema: str) -> None:
        """Changing to a write-ahead log fails at once while another process does the same: SQLite's own patience ends there."""
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(schema)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._translated():
            return self._connection.execute(sql, values).fetchall()

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """One statement, committed; returns the last row id."""
        with self._translated():
            return self._connection.execute(sql, values).lastrowid or 0

    def write_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """One statement over many rows, in one transaction, which may be one that is open."""
        with self._translated():
            if self._connection.in_transaction:
                self._connection.executemany(sql, values)
                return
            with self.transaction():
                self._connection.executemany(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written within counts together or not at all."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Closes the file; further use raises."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                raise CannotWrite(
                    self.path, str(error), remedy="free space, or set LITRAG_HOME to a writable folder"
                ) from error
            except sqlite3.ProgrammingError as error:
                raise CannotWrite(self.path, str(error), remedy="it was closed while something still wrote") from error
            except sqlite3.DatabaseError as error:
                raise BadInput(f"{self.path} is not a litrag database ({error}); move it away") from error
