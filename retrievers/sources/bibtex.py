"""BibTeX entries as plain records: LaTeX decoded, a broken entry a warning with its line.

In a field "%" and "&" are characters: exports leave them bare, and read as LaTeX they would cut an abstract short."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.core.errors import BadInput
from litrag.retrievers.normal_forms import arxiv_id, arxiv_id_in

if TYPE_CHECKING:
    from litrag.retrievers.sources.readers import Warn

__all__ = ["bibtex_records", "plain_text"]

_ESCAPED: Final = re.compile(r"\\([%&_$#{}])")
_NEEDS_LATEX: Final = re.compile(r"\\[^%&_$#{}]|(?<!\\)\$")
_MATH: Final = re.compile(r"(?<!\\)\$(?:((?=\S)[^$]*(?<=[^\s\\]))\$(?!\d))?")  # Pandoc's rule for what is a formula
_PROSE: Final = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}")
_SWALLOWED: Final = re.compile(r"\n\s*([A-Za-z]+)\s*=\s*[{\"]")
_OWN: Final = (
    "title",
    "author",
    "abstract",
    "doi",
    "url",
    "eprint",
    "pages",
    "crossref",
    "key",
    "note",
)  # nothing to inherit
_TYPES: Final = {
    "article": "article-journal",
    "inproceedings": "paper-conference",
    "conference": "paper-conference",
    **dict.fromkeys(("incollection", "inbook"), "chapter"),
    **dict.fromkeys(("book", "mvbook", "collection", "proceedings"), "book"),
    **dict.fromkeys(("phdthesis", "mastersthesis", "thesis"), "thesis"),
    **dict.fromkeys(("techreport", "report"), "report"),
}
_GENRES: Final = {"phdthesis": "PhD thesis", "mastersthesis": "Master's thesis"}
_VENUES: Final = ("booktitle", "journal", "journaltitle")
_LINK: Final = re.compile(r"\\href\s*\{[^{}]*\}")


def bibtex_records(path: Path, warn: Warn) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, record) of each entry; the keys of a record are those of JSON Lines. Raises UnicodeDecodeError, BadInput."""
    import logging

    import bibtexparser
    from bibtexparser import middlewares as m
    from bibtexparser.model import DuplicateBlockKeyBlock

    logging.getLogger("bibtexparser").setLevel(logging.ERROR)
    text = path.read_text(encoding="utf-8-sig")
    stack = [m.ResolveStringReferencesMiddleware(), m.RemoveEnclosingMiddleware()]
    try:
        library = bibtexparser.parse_string(text, parse_stack=stack)
    except Exception as error:  # its splitter promises to raise nothing; a text that makes it raise is no BibTeX
        raise BadInput(f"{path} cannot be read as BibTeX ({error}); export it again") from error
    for block in library.failed_blocks:
        where = f"{path.name}, line {(block.start_line or 0) + 1}"
        if isinstance(block, DuplicateBlockKeyBlock):
            warn(f"{where}: key {block.key!r} stands twice; the first entry counts")
        else:
            start = " ".join((block.raw or "").split())[:60]
            warn(f"{where}: broken entry ({start} …); left out")
    own = [{field.key.lower(): field.value for field in entry.fields} for entry in library.entries]
    named = {entry.key.casefold(): fields for entry, fields in reversed(list(zip(library.entries, own, strict=True)))}
    for entry, fields in zip(library.entries, own, strict=True):
        where = f"{path.name}, line {(entry.start_line or 0) + 1}, entry {entry.key}"
        for name, value in fields.items():
            if swallowed := _SWALLOWED.search(str(value)):
                warn(f"{where}: field {name} holds “{swallowed[1]} = …”; is a comma missing before it?")
        yield where, _record(entry.key, entry.entry_type.casefold(), _inherited(fields, named))


def plain_text(latex: str) -> str:
    """A field's value without LaTeX: accents, dashes and quotes as characters, markup and braces gone."""
    if _NEEDS_LATEX.search(latex):
        latex = _MATH.sub(_dollars, _LINK.sub("", latex))
        latex = re.sub(r"(?<!\\)([%&#])", r"\\\1", latex)
        try:
            return " ".join(str(_decoder().latex_to_text(latex)).split())
        except Exception:  # noqa: S110 - pylatexenc raises many kinds on broken LaTeX; what follows reads it as text
            pass
    parts = _ESCAPED.split(latex)
    parts[::2] = (_untyped(part) for part in parts[::2])
    return " ".join("".join(parts).split())


@cache
def _decoder() -> Any:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(math_mode="text")


def _dollars(match: re.Match[str]) -> str:
    """Two sums of money are no formula, nor is a lone dollar sign."""
    formula = match[1]
    prose = formula and "\\" not in formula and _PROSE.search(formula)
    return match[0] if formula and not prose else match[0].replace("$", "\\$")


def _untyped(text: str) -> str:
    for typed, meant in (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"), ("~", " "), ("{", ""), ("}", "")):
        text = text.replace(typed, meant)
    return text


def _inherited(fields: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """An entry's fields with those that it takes from the one that its `crossref` names, and that from the next, whose title is its book's."""
    found, title, seen = dict(fields), "", [fields]
    while (above := entries.get(str(seen[-1].get("crossref", "")).casefold())) is not None and above not in seen:
        found = {**{name: value for name, value in above.items() if name not in _OWN}, **found}
        title = title or str(above.get("title", ""))
        seen.append(above)
    return found if any(found.get(name) for name in _VENUES) else {**found, "booktitle": title}


def _record(key: str, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    def field(*names: str) -> str:
        return next((str(fields[name]) for name in names if fields.get(name)), "")

    archive = field("archiveprefix", "eprinttype")
    venue = plain_text(field(*_VENUES, *(("series",) if _TYPES.get(kind) in ("book", "thesis", "report") else ())))
    eprint = arxiv_id(field("eprint")) if not archive or "arxiv" in archive.lower() else ""
    return {
        "id": key,
        "key": key,
        "title": plain_text(field("title")),
        "abstract": plain_text(field("abstract")),
        "authors": [_forename_first(name) for name in _names(field("author"))],
        "year": field("year") or field("date")[:4],
        "published": field("date"),
        "venue": venue,
        "doi": _ESCAPED.sub(r"\1", field("doi")),
        "arxiv_id": eprint or arxiv_id_in(f"{venue} {field('volume')}", field("note"), field("howpublished")),
        "url": _ESCAPED.sub(r"\1", field("url")),
        "type": _TYPES.get(kind, ""),
        "volume": plain_text(field("volume")),
        "issue": plain_text(field("number", "issue")),
        "page": plain_text(field("pages")),
        "publisher": plain_text(field("publisher", "school", "institution")),
        "genre": plain_text(field("type")) or _GENRES.get(kind, ""),
        "editor": [_forename_first(name) for name in _names(field("editor"))],
    }


def _names(authors: str) -> list[str]:
    """The names that " and " separates outside of braces. (bibtexparser's splitter drops a command at the beginning of a name: \\L{}ukasz.)"""
    found, depth, start = [], 0, 0
    for match in re.finditer(r"\\.|[{}]|\s+and\s+", authors, re.IGNORECASE | re.DOTALL):
        if match[0] in "{}":
            depth += 1 if match[0] == "{" else -1
        elif depth <= 0 and match[0][0] != "\\":
            found.append(authors[start : match.start()])
            start = match.end()
    return [name.strip() for name in (*found, authors[start:]) if name.strip()]


def _forename_first(name: str) -> str:
    """A BibTeX name as it is read aloud; one wholly in braces is an organisation's, which a comma at its end says (`core.names`)."""
    if name.startswith("{") and name.endswith("}") and name.count("{") == 1:
        whole = plain_text(name)
        return f"{whole}," if " " in whole and "," not in whole else whole
    parts = [part.strip() for part in plain_text(name).split(",")]
    if len(parts) == 2 and len(parts[0].split()) > 1 and parts[0][:1].isupper():
        return ", ".join(parts)  # García Márquez, Gabriel: without the comma its first half is a forename
    if len(parts) == 2:
        return f"{parts[1]} {parts[0]}".strip()
    return f"{parts[2]} {parts[0]} {parts[1]}" if len(parts) == 3 else ", ".join(parts)
