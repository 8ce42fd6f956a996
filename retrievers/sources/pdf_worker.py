"""The process that reads PDFs. It is a script of its own, since a PDF may make its reader loop, recurse or eat memory without end: what
ends then is this process, and one page is lost.

A line of JSON on stdin asks for a file: {"path", "first" (page, from 0), "seconds" (a page may take), "characters" (a file may give)}.
Lines of JSON on stdout answer: {"pages", "info"}, then for each page {"text", "pieces"} or {"fault"}, then {"end"}; or {"problem"}.
A page that takes too long, and a crash, end the process."""

from __future__ import annotations

import faulthandler
import json
import math
import os
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

__all__ = ["main"]

_MEMORY: Final = 3 << 30  # bytes
_PIECES: Final = 400  # runs of text at the start of the first page, of which the title is one


def main() -> None:
    """Answers until stdin ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    _bound_memory()
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - faulthandler wants a file that stays open
        for line in sys.stdin:
            _read(json.loads(line), answers, nowhere)


def _bound_memory() -> None:
    with suppress(ImportError, OSError, ValueError, AttributeError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _read(task: dict[str, Any], answers: IO[str], nowhere: IO[str]) -> None:
    from pypdf import PdfReader

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    def within_time() -> None:
        faulthandler.dump_traceback_later(task["seconds"], exit=True, file=nowhere)

    try:
        with open(task["path"], "rb") as file:  # noqa: PTH123 - no module of litrag, and few others, are loaded here
            within_time()
            try:
                reader = PdfReader(file)
                problem = _locked(reader)
                pages = 0 if problem else len(reader.pages)
                info = _info(reader)
            except (Exception, RecursionError) as error:
                problem = _problem(error)
            if problem:
                answer(problem=problem)
                return
            answer(pages=pages, info=info)
            left = task["characters"]
            for number in range(task["first"], pages):
                within_time()
                try:
                    page = reader.pages[number]
                    pieces = _pieces(page) if number == 0 else []
                    text = page.extract_text()[:left]
                except (Exception, RecursionError) as error:
                    answer(fault=_problem(error))
                    continue
                left -= len(text)
                answer(text=text, pieces=pieces)
                if left <= 0:
                    break
            answer(end=True)
    except OSError as error:
        answer(problem=f"cannot be read: {error.strerror or error}")
    finally:
        faulthandler.cancel_dump_traceback_later()


def _locked(reader: PdfReader) -> str:
    """Why the file cannot be read, where that is a password; an empty one opens it."""
    from pypdf.errors import DependencyError

    if not reader.is_encrypted:
        return ""
    try:
        return "" if reader.decrypt("") else "is encrypted; save it without a password"
    except DependencyError:
        return "is encrypted with AES, which needs a library more: pip install cryptography"


def _info(reader: PdfReader) -> dict[str, str]:
    """What the file says of itself; nothing where that is damaged."""
    with suppress(Exception):
        return {str(name): str(value)[:1000] for name, value in (reader.metadata or {}).items()}
    return {}


def _problem(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "needs too much memory"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return " ".join(str(error).split())[:120] or type(error).__name__


def _pieces(page: PageObject) -> list[tuple[str, float, int]]:
    """The first runs of text: words, size as shown, direction in degrees."""
    found: list[tuple[str, float, int]] = []

    def visit(text: str, place: Any, matrix: Any, font: Any, size: float) -> None:
        if len(found) < _PIECES and text:
            (a, b, c, d), (e, f, g, h) = matrix[:4], place[:4]
            height = math.hypot(c * e + d * g, c * f + d * h)
            turn = math.degrees(math.atan2(a * f + b * h, a * e + b * g))
            found.append((text[:500], round(size * height, 1), round(turn / 90) * 90))

    with suppress(Exception):
        page.extract_text(visitor_text=visit)
    return found


if __name__ == "__main__":
    main()
