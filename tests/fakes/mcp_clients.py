"""Clients of an MCP server: the official one over stdio and HTTP, and bare lines for what it would hide."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

__all__ = ["Bare", "Progress", "http_client", "over_stdio", "said"]


@dataclass
class Progress:
    """What a client was told."""

    told: list[tuple[float, float, str]] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        async with self._news:
            self.told.append((progress, total or 0.0, message or ""))
            self._news.notify_all()

    async def run_id(self) -> str:
        """The run that the first notification names."""
        await self.reaches("run ")
        return self.told[0][2].split()[1]

    async def reaches(self, beginning: str) -> None:
        """Waits until a message begins so."""
        async with self._news:
            await self._news.wait_for(lambda: any(message.startswith(beginning) for _, _, message in self.told))


def said(result: CallToolResult) -> str:
    """The text of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


@asynccontextmanager
async def over_stdio(folder: Path, *options: str, mode: str = "auto") -> AsyncIterator[Client]:
    """The official client of a `litrag mcp` of its own; its standard error goes to a file of the folder."""
    with (folder / "stderr.txt").open("a", encoding="utf-8") as errors:
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "litrag.cli", "mcp", *options], env=dict(os.environ)
        )
        async with Client(stdio_client(command, errlog=errors), mode=mode) as client:
            yield client


@asynccontextmanager
async def http_client(url: str, token: str, mode: str = "auto") -> AsyncIterator[Client]:
    """The official client of a server that listens."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120) as web,
        Client(streamable_http_client(url, http_client=web), mode=mode) as client,
    ):
        yield client


class Bare:
    """A process that is written lines of JSON-RPC; every line that it writes is kept as it is."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._last = 0

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request."""
        self._last += 1
        self._write({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)
            message = json.loads(line)
            if message.get("id") == self._last:
                return message
        raise AssertionError("the server has ended")

    def tell(self, method: str) -> None:
        """A notification."""
        self._write({"jsonrpc": "2.0", "method": method})

    def end(self) -> tuple[str, int]:
        """What stood on standard error, once standard input was closed, and the exit code."""
        out, err = self._process.communicate(timeout=300)
        self.lines += out.splitlines(keepends=True)
        return err, self._process.returncode

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
