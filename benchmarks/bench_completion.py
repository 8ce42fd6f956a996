"""A shell's question what may stand at the cursor, process start to end, against a bare Python and against the bare import of typer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from common import machine, ratio

RUNS = 100


def furnished(home: Path) -> Path:
    """A home of RUNS runs."""
    for n in range(RUNS):
        folder = home / "runs" / f"run-{n:06}"
        folder.mkdir(parents=True)
        (folder / "request.json").write_text("{}")
        (folder / "status.json").write_text('{"status": "done", "note": "done", "pid": 1}')
    return home


def seconds(env: dict[str, str], *command: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **env})
    return time.perf_counter() - start


with tempfile.TemporaryDirectory() as folder:
    asked = {
        "LITRAG_HOME": str(furnished(Path(folder))),
        "_LITRAG_COMPLETE": "complete_bash",
        "COMP_WORDS": "litrag\nruns\nshow\n",
        "COMP_CWORD": "3",
    }
    for name, bare in (("python -c pass", "pass"), ("python -c 'import typer'", "import typer")):
        found = ratio(lambda: seconds(asked, "-m", "litrag.cli"), lambda bare=bare: seconds({}, "-c", bare))  # type: ignore[misc]
        print(
            f"completing one of {RUNS} runs / {name}: {found.value:.2f} [{found.low:.2f}, {found.high:.2f}]  ({found.a:.3f} s / {found.b:.3f} s; {machine()})"
        )
