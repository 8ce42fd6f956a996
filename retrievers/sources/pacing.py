"""Whose turn it is to call a host: rate limit and circuit breaker, shared by everything that one user runs on one machine.

Limits of scholarly APIs hold for an address, not for a process, so turns are rows of a SQLite file. Limiters of one process or one
event loop (aiolimiter and its like) would let two reviews run at twice the rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from litrag.core.database import Database

__all__ = ["Pacing"]

_FAILURES: Final = 5
_REST: Final = 60.0
_LONGEST: Final = 3600.0


class Pacing:
    """Turns by host. `clock` gives seconds since the epoch."""

    def __init__(self, path: Path | str, *, clock: Callable[[], float] = time.time) -> None:
        self._db = Database(
            path,
            "CREATE TABLE IF NOT EXISTS hosts (host TEXT PRIMARY KEY, free REAL NOT NULL, failures INTEGER NOT NULL DEFAULT 0,"
            " closed REAL NOT NULL DEFAULT 0) WITHOUT ROWID;",
        )
        self._clock = clock

    def turn(self, host: str, interval: float, most: float) -> float | None:
        """Takes the next turn, `interval` seconds after the one before; returns the seconds to wait for it. None, and no turn taken,
        where that would be more than `most`."""
        now = self._clock()
        self._db.write("INSERT OR IGNORE INTO hosts (host, free) VALUES (?, ?)", (host, now))
        # A clock that was set back must not lock a host for ever.
        self._db.write("UPDATE hosts SET free = ? WHERE host = ? AND free > ?", (now, host, now + 2 * _LONGEST))
        rows = self._db.rows(
            "UPDATE hosts SET free = max(free, ?) + ? WHERE host = ? AND max(free, ?) - ? <= ? RETURNING free",
            (now, interval, host, now, now, most),
        )
        return max(0.0, rows[0][0] - interval - now) if rows else None

    def postpone(self, host: str, seconds: float) -> None:
        """Nobody calls the host for so long: it asked for that."""
        until = self._clock() + min(seconds, _LONGEST)
        self._db.write("UPDATE hosts SET free = max(free, ?) WHERE host = ?", (until, host))

    def failed(self, host: str) -> None:
        """A request failed for good; the fifth in a row closes the host for a minute."""
        self._db.write(
            "UPDATE hosts SET failures = failures + 1, closed = CASE WHEN failures + 1 >= ? THEN ? ELSE closed END WHERE host = ?",
            (_FAILURES, self._clock() + _REST, host),
        )

    def succeeded(self, host: str) -> None:
        """A request was answered: the count begins anew."""
        self._db.write("UPDATE hosts SET failures = 0, closed = 0 WHERE host = ? AND failures > 0", (host,))

    def closed(self, host: str) -> float:
        """Seconds until the host is called again after failures; 0 where it is open. When the time is up a single failure closes it
        again, a success opens it."""
        rows = self._db.rows("SELECT closed FROM hosts WHERE host = ?", (host,))
        return max(0.0, min(rows[0][0] - self._clock(), _REST)) if rows else 0.0

    def close(self) -> None:
        """Closes the file."""
        self._db.close()
