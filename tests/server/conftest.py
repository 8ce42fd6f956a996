from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.llama_server import GGUF, llama_server


@pytest.fixture(scope="session")
def gguf() -> Path:
    """The weights of the server."""
    pytest.importorskip("xllamacpp")
    return GGUF


@pytest.fixture(scope="session")
def served(gguf: Path) -> Iterator[str]:
    """The base URL of one server for all tests."""
    with llama_server(gguf) as (base, _):
        yield base


@pytest.fixture
def mortal(gguf: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server of the test's own, which it may kill."""
    with llama_server(gguf) as started:
        yield started
