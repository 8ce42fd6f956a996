"""references.bib by bibtexparser: exactly the cited works, LaTeX-encoded; what is written reads back as the same
facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from litrag.core.imprint import editors
from litrag.core.names import labels, name_parts
from litrag.core.types import Paper
from litrag.exports.facts import Kind, clean, container, kind, link
from litrag.exports.latex_text import field, protected

__all__ = ["bibliography"]

_ENTRIES: Final[Mapping[Kind, str]] = {
    "preprint": "misc",
    "proceedings": "inproceedings",
    "journal": "article",
    "chapter": "incollection",
    "book": "book",
    "thesis": "phdthesis",
    "report": "techreport",
}
_IN: Final[Mapping[Kind, str]] = {"proceedings": "booktitle", "journal": "journal", "chapter": "booktitle"}
_BY: Final[Mapping[Kind, str]] = {"thesis": "school", "report": "institution"}


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


def _fields(paper: Paper) -> tuple[str, dict[str, str]]:
    """Text fields LaTeX-encoded, identifiers as they are: a DOI with an escaped underscore is another DOI."""
    what = kind(paper)
    fields = {
        "title": protected(paper.title),
        "author": " and ".join(filter(None, map(_name, paper.authors))),
    }
    if not fields["author"]:  # `key` is BibTeX's own field for what stands in their place
        fields["key"] = _label(labels({"": paper})[""].names)
    if paper.year:
        fields["year"] = str(paper.year)
    if what != "preprint":
        facts = paper.imprint
        fields[_IN.get(what, "series")] = field(container(paper))
        fields |= {
            "volume": field(facts.get("volume", "")),
            "number": field(facts.get("number") or facts.get("issue", "")),
        }
        fields["pages"] = "--".join(map(field, facts.get("page", "").split("–")))
        fields |= {_BY.get(what, "publisher"): field(facts.get("publisher", "")), "type": field(facts.get("genre", ""))}
        fields["editor"] = " and ".join(map(_name, editors(facts)))
    fields["doi"] = _verbatim(paper.doi)
    if paper.arxiv_id:
        fields |= {"eprint": _verbatim(paper.arxiv_id), "archiveprefix": "arXiv"}
    fields["url"] = _verbatim(paper.url) or ("" if paper.doi else _verbatim(link(paper)))  # old styles print no eprint
    return _ENTRIES[what], {name: value for name, value in fields.items() if value}


def _verbatim(identifier: str) -> str:
    r"""What would end the field, or start a command in \url, is percent-encoded; another scheme than http(s) is left
    out."""
    text = clean(identifier).strip()
    if re.match(r"(?!https?:)[a-z][a-z+.-]*:", text, re.IGNORECASE):
        return ""
    return "".join(quote(c) if c in '{}\\^ "' or ord(c) > 126 else c for c in text)


def _name(author: str) -> str:
    """Braces keep together what BibTeX would take apart: an "and", maths, many commas, the "il" of Kang-il as a
    particle."""
    parts = name_parts(author)
    if author.endswith(",") and not parts.given:
        return f"{{{_label(parts.family)}}}"
    if parts.suffix:
        author = f"{f'{parts.particle} {parts.family}'.strip()}, {parts.suffix}, {parts.given}"
    name = re.sub(r"(\S+-[a-z]\S*)", r"{\1}", _label(author))
    whole = re.search(r"\band\b|\$", name, re.IGNORECASE) or name.count(",") > 2
    return f"{{{name}}}" if whole else name


def _label(text: str) -> str:
    """As `field`, with braces around the brackets by which natbib takes labels apart."""
    return re.sub(r"[()\[\]]", r"{\g<0>}", field(text))
