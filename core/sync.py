"""The one bridge from sync to async (every sync name in litrag is one line over `run`), and the one way to run side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["all_or_first_error", "run"]

T = TypeVar("T")


def run(call: Coroutine[Any, Any, T]) -> T:
    """Runs the coroutine to its end, also from inside a running loop (a notebook, a server): there on a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(call)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="litrag-sync") as pool:
        return pool.submit(asyncio.run, call).result()


async def all_or_first_error(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results in order. If some fail, the others run to their end first (what they paid for is kept), then the first
    error is raised."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
