"""CPU of orchestration per model call: cache, budget, ledger, concurrency and retries around a backend that does nothing.

Bound: 5 ms a call; printed beside the same calls on the bare backend."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from common import machine, ratio

from litrag.core.budget import Budget, Limits
from litrag.core.ledger import Ledger
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Message
from litrag.models.gateway import Gateway
from litrag.models.scripted import ScriptedBackend

CALLS = 200
TEXT = "word " * 2000
count = 0


def through_the_gateway() -> float:
    """CPU milliseconds a call, files on disk."""
    global count
    count += 1
    with tempfile.TemporaryDirectory() as folder:
        cache, ledger = RequestCache(Path(folder) / "cache.sqlite"), Ledger(Path(folder) / "run.sqlite")
        gateway = Gateway(
            Settings(model="scripted/m"),
            cache=cache,
            ledger=ledger,
            budget=Budget(Limits(calls=10**6)),
            backend=ScriptedBackend(answer=lambda r: "reply"),
        )

        async def main() -> None:
            model = gateway.model("write")
            await asyncio.gather(
                *(model.generate([Message("user", f"{TEXT}{count}-{i}")], max_tokens=50) for i in range(CALLS))
            )

        start = time.process_time()
        asyncio.run(main())
        spent = time.process_time() - start
        cache.close()
        ledger.close()
    return 1000 * spent / CALLS


def a_write_of_the_same_size() -> float:
    """CPU milliseconds of one SQLite commit of the request's size: the floor of anything that survives a kill."""
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "x.sqlite", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (a)")
        start = time.process_time()
        for _ in range(CALLS):
            database.execute("INSERT INTO t VALUES (?)", (TEXT,))
        spent = time.process_time() - start
        database.close()
    return 1000 * spent / CALLS


found = ratio(through_the_gateway, a_write_of_the_same_size)
print(
    f"orchestration: {found.a:.2f} ms CPU a call, {found.value:.1f} x one durable write [{found.low:.1f}, {found.high:.1f}]  ({machine()})"
)
sys.exit(found.a > 5)
