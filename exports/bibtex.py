"""references.bib by bibtexparser: exactly the cited works, LaTeX-encoded; what is written reads back as the same facts."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from litrag.core.types import Paper

if TYPE_CHECKING:
    from pylatexenc.latexencode import UnicodeToLatexEncoder

__all__ = ["bibliography"]

_PROCEEDINGS: Final = re.compile(
    r"\b(proceedings|conference|workshop|symposium|meeting|findings|companion volume)\b", re.IGNORECASE
)
_ARXIV: Final = re.compile(r"^(arxiv|corr)\b", re.IGNORECASE)


def bibliography(papers: Mapping[str, Paper]) -> str:
    """BibTeX entries, sorted by key."""
    import bibtexparser
    from bibtexparser import middlewares
    from bibtexparser.library import Library
    from bibtexparser.model import Entry, Field

    entries = []
    for key in sorted(papers):
        kind, fields = _fields(papers[key])
        entries.append(Entry(kind, key, [Field(name, value) for name, value in fields.items()]))
    braces = middlewares.AddEnclosingMiddleware(
        reuse_previous_enclosing=False, enclose_integers=True, default_enclosing="{"
    )
    text: str = bibtexparser.write_string(Library(entries), unparse_stack=[braces])
    return text


@functools.cache
def _encoder() -> UnicodeToLatexEncoder:
    from pylatexenc.latexencode import RULE_REGEX, UnicodeToLatexConversionRule, UnicodeToLatexEncoder

    maths = UnicodeToLatexConversionRule(
        RULE_REGEX, [(re.compile(r"(\$(?!\s)[^$]*[^\s$]\$)"), r"\1")], replacement_latex_protection="none"
    )
    return UnicodeToLatexEncoder(
        conversion_rules=[maths, "defaults"], unknown_char_policy="keep", unknown_char_warning=False
    )


def _latex(text: str) -> str:
    plain = " ".join(text.replace("{", "").replace("}", "").split())
    encoded: str = _encoder().unicode_to_latex(plain)
    return encoded


def _fields(paper: Paper) -> tuple[str, dict[str, str]]:
    """Text fields LaTeX-encoded, identifiers verbatim: a DOI with an escaped underscore is another DOI."""
    venue = _latex(paper.venue)
    fields = {"title": _latex(paper.title), "author": " and ".join(_name(author) for author in paper.authors)}
    if paper.year:
        fields["year"] = str(paper.year)
    kind = "misc"
    if venue and not _ARXIV.match(venue):
        kind = "inproceedings" if _PROCEEDINGS.search(venue) else "article"
        fields["booktitle" if kind == "inproceedings" else "journal"] = venue
    if paper.doi:
        fields["doi"] = paper.doi
    if paper.arxiv_id:
        fields |= {"eprint": paper.arxiv_id, "archiveprefix": "arXiv"}
    if paper.url:
        fields["url"] = paper.url
    return kind, {name: value for name, value in fields.items() if value}


def _name(author: str) -> str:
    name = _latex(author)
    return f"{{{name}}}" if re.search(r"\band\b", name) or name.count(",") > 2 else name
