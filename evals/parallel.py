"""An eval whose rows run in processes of their own, for a machine that has room for several; the same journal, the same results."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from litrag.core.errors import LitragError
from litrag.evals.journal import Journal, Line
from litrag.evals.runner import Evaluation

__all__ = ["RowFailed", "alone", "joined", "run_rows"]


class RowFailed(LitragError):
    """A row's process ended with an error; what the others measured is kept in the folder."""


def alone(evaluation: Evaluation, name: str) -> Evaluation:
    """The eval with one of its rows. Raises StopIteration for a row that it lacks."""
    return replace(evaluation, systems=(next(system for system in evaluation.systems if system.name == name),))


async def run_rows(command: Sequence[str], names: Sequence[str], folder: Path, jobs: int) -> None:
    """Runs `command --row=NAME --into=FOLDER/NAME` for each name, which may begin with a dash, `jobs` at once; a row that is there goes on where it was.
    Raises RowFailed, after all others have ended."""
    turn = asyncio.Semaphore(jobs)

    async def one(name: str) -> str:
        async with turn:
            process = await asyncio.create_subprocess_exec(
                *command, f"--row={name}", f"--into={folder / name}", stderr=asyncio.subprocess.PIPE
            )
            _, said = await process.communicate()
        sys.stderr.write(f"{name}: {'done' if process.returncode == 0 else 'failed'}\n")
        return (
            ""
            if process.returncode == 0
            else f"{name}: {(said.decode(errors='replace').strip().splitlines() or ['?'])[-1]}"
        )

    if failed := [line for line in await asyncio.gather(*map(one, names)) if line]:
        raise RowFailed(f"{len(failed)} of {len(names)} rows failed; {'; '.join(failed)}; run it again to go on")


def joined(evaluation: Evaluation, folder: Path, into: Path) -> None:
    """Puts the journals of the rows, each in its folder, together as the journal of the whole eval."""
    with Journal(into, evaluation.config) as whole:
        for system in evaluation.systems:
            with Journal(folder / system.name, alone(evaluation, system.name).config, resume=True) as part:
                for (name, topic), answer in part.lines.items():
                    whole.write(Line(name, topic, answer))
