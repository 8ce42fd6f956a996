"""A real `litrag serve` in a process of its own, on a free port, with its own home."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Served", "serve"]


@dataclass
class Served:
    """`address` is the page's, with the token where there is one; `log` what the process said."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return self.address.partition("/?")[0].rstrip("/")


@contextmanager
def serve(home: Path, *options: str, port: int = 0, **environment: str) -> Iterator[Served]:
    """Running until left; Ctrl-C ends it."""
    log = home / "serve.log"
    variables = {**os.environ, "LITRAG_HOME": str(home), "OPENAI_API_KEY": "none", **environment}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "litrag.cli", "serve", "--port", str(port), *options], stderr=output, env=variables
        )
    try:
        yield Served(_address(process, log), process, log)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"http://\S+", log.read_text(encoding="utf-8")):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8"))
