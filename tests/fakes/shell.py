"""The command line as a user has it: a process, its two streams, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["Shell", "failure"]


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
        out, err = process.communicate(stdin, timeout=120)
        return process.returncode, out, err


def failure(result: tuple[int, str, str], code: int) -> str:
    """The one line of an error."""
    assert result[0] == code, result
    lines = [line for line in result[2].splitlines() if line.startswith("litrag: ")]
    assert len(lines) == 1, result[2]
    assert "Traceback" not in result[2]
    return lines[0]
