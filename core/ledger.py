"""The ledger: one row a call and a search, written before it is sent, so that a killed run knows what was in flight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from litrag.core.budget import Spend, asks_nobody
from litrag.core.database import Database
from litrag.core.display import Displayed
from litrag.core.protocols import Usage

__all__ = ["Ledger", "Row", "Totals"]

_COLUMNS = "id, role, model, operation, key, status, cached, repeated, prompt_tokens, completion_tokens, usd, seconds"


@dataclass(frozen=True, slots=True)
class Row:
    """One call. `status`: "sent" (in flight, or lost by a kill), "done", "failed". `repeated`: the same request was in flight
    when an earlier session of the run was killed. Tokens and dollars of a "sent" row are the reserved estimate."""

    id: int
    role: str
    model: str
    operation: str
    key: str
    status: str
    cached: bool
    repeated: bool
    prompt_tokens: int
    completion_tokens: int
    usd: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Totals(Displayed):
    """Sums over a ledger: requests sent to models, answers from the cache, requests sent again after a kill, and their price."""

    calls: int
    cached: int
    repeated: int
    searches: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    seconds: float


class Ledger(Displayed):
    """Rows in SQLite (a run's own file, or memory). Opened anew, it holds what earlier sessions of the run wrote."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self._db = Database(
            path,
            "CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, role TEXT, model TEXT, operation TEXT, key TEXT, status TEXT,"
            " cached INTEGER, repeated INTEGER, prompt_tokens INTEGER, completion_tokens INTEGER, usd REAL, seconds REAL, session INTEGER);"
            "CREATE INDEX IF NOT EXISTS by_key ON calls (key);"
            "CREATE TABLE IF NOT EXISTS sessions (id INTEGER PRIMARY KEY, started REAL, seen REAL);",
        )
        self._session = self._db.write("INSERT INTO sessions (started, seen) VALUES (?, ?)", (time.time(), time.time()))

    def sent(self, role: str, model: str, operation: str, key: str, estimate: Usage) -> int:
        """Books a request as in flight, before it leaves; returns its row id.

        It is a repetition if an earlier row of the same request was lost by a kill, be it on the way or just before its answer
        was stored."""
        earlier = "SELECT 1 FROM calls WHERE key = ? AND status != 'failed' AND NOT cached AND session < ?"
        repeated = bool(self._db.rows(earlier, (key, self._session)))
        values = (role, model, operation, key, "sent", 0, repeated, estimate.prompt_tokens, estimate.completion_tokens)
        return self._insert((*values, estimate.usd, estimate.seconds))

    def done(self, row: int, usage: Usage) -> None:
        """Books the answer to a row that was sent."""
        self._update(row, "done", usage)

    def failed(self, row: int, usage: Usage) -> None:
        """Books that a row that was sent brought no answer."""
        self._update(row, "failed", usage)

    def cached(self, role: str, model: str, operation: str, key: str) -> None:
        """Books an answer from the cache. A row lost in flight whose answer had reached the cache is thereby answered."""
        self._db.write(
            "UPDATE calls SET status = 'done' WHERE key = ? AND status = 'sent' AND session < ?", (key, self._session)
        )
        self._insert((role, model, operation, key, "done", 1, 0, 0, 0, 0.0, 0.0))

    def rows(self) -> tuple[Row, ...]:
        """All rows, oldest first."""
        found = self._db.rows(f"SELECT {_COLUMNS} FROM calls ORDER BY id")
        return tuple(Row(*(*r[:6], bool(r[6]), bool(r[7]), *r[8:])) for r in found)

    def totals(self) -> Totals:
        """Sums over all rows; what the role "search" does (searches, requests to citation graphs) is counted apart from the calls of models."""
        return self._totals(self.rows())

    def _totals(self, rows: Sequence[Row]) -> Totals:
        calls = [row for row in rows if row.role != "search"]
        sent = [row for row in calls if not row.cached]
        return Totals(
            calls=len(sent),
            cached=len(calls) - len(sent),
            repeated=sum(row.repeated for row in rows),
            searches=sum(row.role == "search" and not row.cached for row in rows),
            prompt_tokens=sum(row.prompt_tokens for row in sent),
            completion_tokens=sum(row.completion_tokens for row in sent),
            usd=sum(row.usd for row in sent),
            seconds=self.seconds(),
        )

    def spend(self) -> Spend:
        """What the rows took from a budget; what was in flight at a kill counts with its estimate."""
        totals = self._totals([row for row in self.rows() if not asks_nobody(row.operation, row.model)])
        return Spend(totals.searches, totals.calls, totals.prompt_tokens + totals.completion_tokens, totals.usd)

    def seconds(self) -> float:
        """Wall-clock seconds of all sessions; a killed session counts until its last row."""
        self._seen()
        return float(self._db.rows("SELECT coalesce(sum(seen - started), 0) FROM sessions")[0][0])

    @staticmethod
    def read(path: Path) -> Totals:
        """The totals of a ledger that another process may be writing; no session is begun."""
        ledger = Ledger.__new__(Ledger)
        ledger._db = Database(path, "")
        ledger._session = 0
        try:
            return ledger.totals()
        finally:
            ledger._db.close()

    def as_rows(self) -> Sequence[dict[str, object]]:
        """The rows as JSON objects."""
        return [asdict(row) for row in self.rows()]

    def close(self) -> None:
        """Closes the file."""
        self._seen()
        self._db.close()

    def _insert(self, values: tuple[object, ...]) -> int:
        self._seen()
        columns = _COLUMNS.removeprefix("id, ")
        return self._db.write(
            f"INSERT INTO calls ({columns}, session) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", (*values, self._session)
        )

    def _update(self, row: int, status: str, usage: Usage) -> None:
        self._seen()
        self._db.write(
            "UPDATE calls SET status = ?, prompt_tokens = ?, completion_tokens = ?, usd = ?, seconds = ? WHERE id = ?",
            (status, usage.prompt_tokens, usage.completion_tokens, usage.usd, usage.seconds, row),
        )

    def _seen(self) -> None:
        self._db.write("UPDATE sessions SET seen = ? WHERE id = ?", (time.time(), self._session))
