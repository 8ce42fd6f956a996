"""Fixtures of all tests: a home of their own, the real data where it is, loud words where it is not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from litrag.core.paths import data_folder, models_folder

# CI must say the same of the same commit twice; on a desk every run explores further.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("ci" if os.environ.get("CI") else "desk")

pytest_plugins = ["fakes.tiny_models"]

_MODELS = models_folder()  # before any test has a home of its own
_SKIPPED = {"data": 0, "models": 0, "gpu": 0, "qdrant": 0}


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LITRAG_HOME of the test, empty; the weights stay those of the user; no key, no setting from outside."""
    for name in list(os.environ):
        if (name.startswith("LITRAG_") and name not in ("LITRAG_DATA", "LITRAG_TEST_QDRANT_URL")) or name.endswith(
            "_API_KEY"
        ):
            monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LITRAG_HOME", str(folder))
    monkeypatch.setenv("LITRAG_MODELS", str(_MODELS))
    return folder


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which `litrag setup` was never run."""
    monkeypatch.setenv("LITRAG_MODELS", str(tmp_path / "no-models"))


@pytest.fixture
def data_dir() -> Path:
    """The evaluation data."""
    folder = data_folder()
    assert folder is not None
    return folder.resolve()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from litrag.models.weights import ready

    have_data = data_folder() is not None
    have_models = ready("all-MiniLM-L6-v2") and ready("SmolLM2-135M-Instruct")
    have_gpu = any(item.get_closest_marker("gpu") for item in items) and _have_gpu()
    have_qdrant = bool(os.environ.get("LITRAG_TEST_QDRANT_URL"))
    there = {"data": have_data, "models": have_models, "gpu": have_gpu, "qdrant": have_qdrant}
    for item in items:
        for marker, have in there.items():
            if item.get_closest_marker(marker) and not have:
                _SKIPPED[marker] += 1
                item.add_marker(pytest.mark.skip(reason=f"no {marker}"))


def _have_gpu() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each worker of pytest-xdist collects all tests, and its process alone knows what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["skipped"] = dict(_SKIPPED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker is done."""
    for marker, count in getattr(node, "workeroutput", {}).get("skipped", {}).items():
        _SKIPPED[marker] = max(_SKIPPED[marker], count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = {
        "data": "no data: set LITRAG_DATA",
        "models": "no weights: run `litrag setup`",
        "gpu": "no CUDA device here",
        "qdrant": "no Qdrant server: set LITRAG_TEST_QDRANT_URL, e.g. http://127.0.0.1:6333",
    }
    for marker, count in _SKIPPED.items():
        if count:
            terminalreporter.write_line(
                f"!!! {count} tests marked {marker!r} DID NOT RUN ({reasons[marker]})", red=True, bold=True
            )
