"""PDFs, page by page, by pypdf in a process of its own (`pdf_worker`), which may hang or die without harm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from litrag.core.errors import BadInput

__all__ = ["PdfFile", "PdfReading"]

_WORKER: Final = Path(__file__).with_name("pdf_worker.py")
_MOST_LOST: Final = 5  # pages that took too long, before the rest of a file is given up


@dataclass(frozen=True, slots=True)
class PdfFile:
    """What a PDF holds: the raw text of each page ("" where it could not be read), what it says of itself, and the first runs of text as
    (words, size, direction in degrees)."""

    pages: tuple[str, ...]
    info: dict[str, str]
    pieces: tuple[tuple[str, float, int], ...]


class PdfReading:
    """Reads PDFs, in a process that starts with the first one. A page that raises or takes more than `seconds` is lost, with a warning;
    so is what follows `characters`."""

    def __init__(self, *, seconds: float = 20.0, characters: int = 5_000_000) -> None:
        self._seconds, self._characters = seconds, characters
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def read(self, path: Path, warn: Callable[[str], None]) -> PdfFile:
        """The file. Raises BadInput for one that is no PDF, encrypted, damaged, or without text."""
        if not _looks_like_pdf(path):
            raise BadInput(f"{path} is not a PDF, whatever its name says; fetch it again")
        texts: list[str] = []
        info: dict[str, str] = {}
        pieces: tuple[tuple[str, float, int], ...] = ()
        faults: list[str] = []
        total, lost, ended = 0, 0, False
        while not ended:
            left = self._characters - sum(map(len, texts))
            for answer in self._answers(path, len(texts), left):
                if "problem" in answer:
                    raise BadInput(f"{path} {_as_reason(answer['problem'])}")
                if "pages" in answer:
                    total, info = answer["pages"], answer["info"]
                elif "end" in answer:
                    ended = True
                else:
                    if "fault" in answer:
                        faults.append(answer["fault"])
                        warn(f"{path.name}, page {len(texts) + 1}: cannot be read ({answer['fault']}); left out")
                    texts.append(answer.get("text", ""))
                    pieces = tuple(tuple(piece) for piece in answer.get("pieces", ())) or pieces
            if not ended:
                if not total:
                    raise BadInput(f"{path} is damaged (no reader gets through it); fetch it again")
                lost += 1
                faults.append("it takes too long")
                warn(f"{path.name}, page {len(texts) + 1}: takes too long to read; left out")
                texts.append("")
                if lost == _MOST_LOST or len(texts) >= total:
                    break
        if not any(text.strip() for text in texts) and faults:
            raise BadInput(f"{path} is damaged (no page can be read: {faults[0]}); fetch it again")
        return self._checked(path, PdfFile(tuple(texts), info, pieces), total, warn)

    def _checked(self, path: Path, file: PdfFile, total: int, warn: Callable[[str], None]) -> PdfFile:
        if not total:
            raise BadInput(f"{path} holds no page; fetch it again")
        if not any(text.strip() for text in file.pages):
            raise BadInput(f"{path} holds no text, only pictures; run OCR on it")
        if len(file.pages) < total:
            warn(f"{path.name}: only its first {len(file.pages):,} of {total:,} pages are read")
        return file

    def _answers(self, path: Path, first: int, characters: int) -> Iterator[dict[str, Any]]:
        """The worker's answers, until it has said all or ended itself."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        task = {"path": str(path), "first": first, "seconds": self._seconds, "characters": characters}
        try:
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                answer = json.loads(line)
                yield answer
                if answer.keys() & {"end", "problem"}:
                    return
        except (BrokenPipeError, ValueError):  # it died between two files, or amid a line
            pass
        self._stop()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [sys.executable, "-P", str(_WORKER)]
            pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, text=True)
        return self._process

    def _stop(self) -> None:
        if (process := self._process) is None:
            return
        self._process = None
        with suppress(OSError):
            process.kill()
        with suppress(OSError), process:  # closes the pipes and waits
            pass


def _looks_like_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return b"%PDF-" in file.read(1024)


def _as_reason(problem: str) -> str:
    known = ("is encrypted", "cannot be read")
    return problem if problem.startswith(known) else f"is damaged ({problem}); fetch it again"
