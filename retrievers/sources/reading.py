"""One door to all kinds of files: those of references give a paper a record, those of text are one paper each, with its full text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from litrag.core.errors import BadInput
from litrag.retrievers.sources.full_texts import Record, of_pdf
from litrag.retrievers.sources.pdf import PdfReading
from litrag.retrievers.sources.readers import PAPER_KINDS, Warn, read_papers, refuse_binary, translated
from litrag.retrievers.sources.text_files import read_markdown, read_text

__all__ = ["KINDS", "READING", "TEXT_KINDS", "kind_of", "read_records"]

TEXT_KINDS: Final = (".pdf", ".md", ".markdown", ".txt")
KINDS: Final = (*PAPER_KINDS, *TEXT_KINDS)
READING: Final = 3  # goes up when files come to be read otherwise, so that what was read before is read again


def kind_of(path: Path) -> str:
    """The kind a file's name says it is; "" for one that litrag does not read."""
    return next((kind for kind in KINDS if path.name.lower().endswith(kind)), "")


def read_records(path: Path, warn: Warn, pdfs: PdfReading) -> Iterator[Record]:
    """The records of a file, in its order. Raises BadInput for one that is missing, of no known kind, or without anything readable."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file; check the path")
    kind = kind_of(path)
    if not kind:
        raise BadInput(f"{path} is of no kind that litrag reads; give one of {', '.join(KINDS)}")
    if kind in PAPER_KINDS:
        yield from map(Record, read_papers(path, warn))
        return
    with translated(path):
        if kind == ".pdf":
            yield of_pdf(pdfs.read(path, warn))
            return
        refuse_binary(path)
        yield read_text(path, warn) if kind == ".txt" else read_markdown(path, warn)
