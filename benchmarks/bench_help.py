"""`litrag --help` against a bare typer app with one command, process start to end. Bound: 2."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from common import machine, ratio

BARE = "import typer\napp = typer.Typer()\n@app.command()\ndef run(name: str = 'x') -> None: ...\n@app.command()\ndef other() -> None: ...\napp()"


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


found = ratio(lambda: seconds("-m", "litrag.cli", "--help"), lambda: seconds("-c", BARE, "--help"))
print(
    f"litrag --help / bare typer --help: {found.value:.2f} [{found.low:.2f}, {found.high:.2f}]  ({found.a:.3f} s / {found.b:.3f} s; {machine()})"
)
sys.exit(found.value > 2)
