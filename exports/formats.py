"""What a review can be written as: a table from the id of a format to its files and their writers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from litrag.core.errors import UnknownName
from litrag.exports.bibtex import bibliography
from litrag.exports.csl import csl_json
from litrag.exports.document import Exported
from litrag.exports.evidence_page import evidence_html
from litrag.exports.latex import related_work_latex, review_latex
from litrag.exports.markdown import review_markdown
from litrag.exports.page import review_html
from litrag.exports.ris import references_ris
from litrag.exports.styles import check_style
from litrag.exports.word import check_docx, review_docx

__all__ = ["ALWAYS", "FORMATS", "check_export", "files_of", "written"]

Writer: TypeAlias = Callable[[Exported], str | bytes]


FORMATS: Final[Mapping[str, Mapping[str, Writer]]] = {
    "md": {"review.md": review_markdown},
    "tex": {
        "review.tex": review_latex,
        "related-work.tex": related_work_latex,
        "references.bib": lambda document: bibliography(document.cited),
    },
    "docx": {"review.docx": review_docx},
    "html": {"review.html": review_html, "evidence.html": evidence_html},
    "bib": {"references.bib": lambda document: bibliography(document.cited)},
    "ris": {"references.ris": lambda document: references_ris(document.cited)},
    "csl": {"references.csl.json": lambda document: csl_json(document.cited)},
}
ALWAYS: Final = ("md", "bib")


def files_of(formats: Iterable[str]) -> tuple[str, ...]:
    """The names of their files, each once. Raises UnknownName."""
    return tuple(_writers(formats))


def written(document: Exported, formats: Iterable[str]) -> dict[str, bytes]:
    """Name of file -> content, for the formats. Raises UnknownName, BadInput (the style), MissingExtra."""
    made = {name: write(document) for name, write in _writers(formats).items()}
    return {name: data if isinstance(data, bytes) else data.encode() for name, data in made.items()}


def check_export(formats: Iterable[str], style: str) -> None:
    """Finds before anything is spent what would fail at the end. Raises UnknownName, BadInput, MissingExtra."""
    check_style(style)
    if "review.docx" in files_of(formats):
        check_docx()


def _writers(formats: Iterable[str]) -> dict[str, Writer]:
    writers: dict[str, Writer] = {}
    for name in formats:
        if name not in FORMATS:
            raise UnknownName("format", name, FORMATS)
        writers |= FORMATS[name]
    return writers
