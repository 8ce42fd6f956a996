"""The command line as a user has it: its two streams, its exit code; a process of its own, or, where a model is asked, this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["Here", "Shell", "failure"]


class Shell:
    """Runs litrag in a folder of its own, without weights unless asked."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "LITRAG_HOME": str(home), "COLUMNS": "120"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "litrag.cli", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(stdin, timeout=1200)
        return process.returncode, out, err


class Here:
    """Runs litrag in this process, in a folder of its own: a new process would load what asks models each time."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, streams: pytest.CaptureFixture[str]) -> None:
        self._patch, self._streams = patch, streams
        patch.chdir(folder)

    def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        from litrag.cli.app import main

        self._patch.setattr(sys, "argv", ["litrag", *arguments])
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as left:
            main()
        out, err = self._streams.readouterr()
        return int(left.value.code or 0), out, err


def failure(result: tuple[int, str, str], code: int) -> str:
    """The one line of an error."""
    assert result[0] == code, result
    lines = [line for line in result[2].splitlines() if line.startswith("litrag: ")]
    assert len(lines) == 1, result[2]
    assert "Traceback" not in result[2]
    return lines[0]
