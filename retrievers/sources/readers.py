"""Reading papers from files: JSON Lines (plain or gzip), BibTeX with abstracts, CSL-JSON. One broken record is a warning with
its place; a file that holds nothing readable is an error with the remedy."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeAlias

from litrag.core.errors import BadInput
from litrag.core.types import Paper, normalised_title

__all__ = ["KINDS", "Warn", "read_papers"]

Warn: TypeAlias = Callable[[str], None]
KINDS: Final = (".jsonl", ".jsonl.gz", ".ndjson", ".bib", ".json")
_ARXIV: Final = re.compile(r"(?:arxiv[:./]|abs/)?(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?", re.IGNORECASE)
_TAG: Final = re.compile(r"</?(?:jats:)?[a-zA-Z][^<>]{0,40}>")


def read_papers(path: Path, warn: Warn) -> Iterator[Paper]:
    """The papers of a file, in its order. Raises BadInput for a file that is missing, of another kind, or without a readable paper."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder; name the files in it ({', '.join(KINDS)})")
    if not path.is_file():
        raise BadInput(f"{path}: no such file; check the path")
    name = path.name.lower()
    readers = {".jsonl": _json_lines, ".jsonl.gz": _json_lines, ".ndjson": _json_lines, ".bib": _bibtex, ".json": _csl}
    reader = next((reader for kind, reader in readers.items() if name.endswith(kind)), None)
    if reader is None:
        raise BadInput(f"{path} is of no kind that litrag reads; give one of {', '.join(KINDS)}")
    count = 0
    try:
        for paper in reader(path, warn):
            count += 1
            yield paper
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(f"{path} is a damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}; check its permissions") from error
    if not count:
        raise BadInput(f"{path} holds no readable paper; each needs at least a title")


def _json_lines(path: Path, warn: Warn) -> Iterator[Paper]:
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path.name}, line {number}"
            try:
                record = json.loads(line)
            except ValueError as error:
                warn(f"{where}: no JSON ({error}); left out")
                continue
            yield from _checked(record, where, warn)


def _csl(path: Path, warn: Warn) -> Iterator[Paper]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise BadInput(f"{path} is no JSON ({error}); export it again as CSL-JSON") from error
    items = data.get("items", data.get("references", [data])) if isinstance(data, dict) else data
    for number, item in enumerate(items if isinstance(items, list) else [], start=1):
        where = f"{path.name}, record {number}"
        if not isinstance(item, dict):
            warn(f"{where}: no record; left out")
            continue
        yield from _checked(_from_csl(item), where, warn)


def _from_csl(item: Mapping[str, Any]) -> dict[str, Any]:
    issued = item.get("issued") if isinstance(item.get("issued"), dict) else {}
    parts: Any = issued.get("date-parts") if isinstance(issued, dict) else None
    day = (
        [int(str(part)) for part in parts[0] if str(part).isdigit()]
        if isinstance(parts, list) and parts and isinstance(parts[0], list)
        else []
    )
    authors = [a for a in item.get("author", []) if isinstance(a, dict)] if isinstance(item.get("author"), list) else []
    return {
        **{name: item.get(name) for name in ("id", "title", "abstract")},
        "authors": [
            a.get("literal") or " ".join(str(a[n]) for n in ("given", "non-dropping-particle", "family") if a.get(n))
            for a in authors
        ],
        "year": day[0] if day else None,
        "published": "-".join(f"{part:02d}" for part in day) if len(day) == 3 else None,
        "venue": item.get("container-title"),
        "doi": item.get("DOI"),
        "url": item.get("URL"),
    }


def _bibtex(path: Path, warn: Warn) -> Iterator[Paper]:
    import logging

    import bibtexparser
    from bibtexparser import middlewares as m
    from bibtexparser.model import DuplicateBlockKeyBlock, MiddlewareErrorBlock

    logging.getLogger("bibtexparser").setLevel(logging.ERROR)
    text = path.read_text(encoding="utf-8-sig")
    stack = [
        m.ResolveStringReferencesMiddleware(),
        m.RemoveEnclosingMiddleware(),
        m.SeparateCoAuthors(),
        m.LatexDecodingMiddleware(),
    ]
    library = bibtexparser.parse_string(text, parse_stack=stack)
    for block in library.failed_blocks:
        where = f"{path.name}, line {(block.start_line or 0) + 1}"
        if isinstance(block, DuplicateBlockKeyBlock):
            warn(f"{where}: key {block.key!r} stands twice; the first entry counts")
        elif isinstance(block, MiddlewareErrorBlock) and block.ignore_error_block is not None:
            warn(f"{where}: entry cannot be decoded; left out")
        else:
            start = " ".join((block.raw or "").split())[:60]
            warn(f"{where}: broken entry ({start} …); left out")
    for entry in library.entries:
        fields = {field.key.lower(): field.value for field in entry.fields}
        yield from _checked(_from_bibtex(entry.key, fields), f"{path.name}, entry {entry.key}", warn)


def _from_bibtex(key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    authors = fields.get("author", [])
    names = authors if isinstance(authors, list) else [authors]
    return {
        "id": key,
        "title": fields.get("title"),
        "abstract": fields.get("abstract"),
        "authors": [_forename_first(str(name)) for name in names],
        "year": fields.get("year") or str(fields.get("date", ""))[:4],
        "published": fields.get("date"),
        "venue": fields.get("booktitle") or fields.get("journal") or fields.get("journaltitle"),
        "doi": fields.get("doi"),
        "arxiv_id": fields.get("eprint")
        if "arxiv" in str(fields.get("archiveprefix", fields.get("eprinttype", ""))).lower()
        else None,
        "url": fields.get("url"),
    }


def _forename_first(name: str) -> str:
    """A BibTeX name as it is read aloud; one wholly in braces is an organisation's and stays as it is."""
    from pylatexenc.latex2text import LatexNodes2Text

    literal = name.startswith("{") and name.endswith("}") and name.count("{") == 1
    plain: str = LatexNodes2Text().latex_to_text(name)
    parts = [part.strip() for part in plain.split(",")]
    return f"{parts[1]} {parts[0]}" if len(parts) == 2 and not literal else " ".join(plain.split())


def _checked(record: object, where: str, warn: Warn) -> Iterator[Paper]:
    paper = _paper(record) if isinstance(record, dict) else None
    if paper is None:
        warn(f"{where}: no title; left out")
    else:
        yield paper


def _paper(record: Mapping[str, Any]) -> Paper | None:
    title = _text(record.get("title"))
    if not normalised_title(title):
        return None
    year = _year(record.get("year"))
    authors = _authors(record.get("authors", record.get("author")))
    doi = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", "", _text(record.get("doi")), flags=re.IGNORECASE).lower()
    url = _text(record.get("url"))
    arxiv = _ARXIV.fullmatch(_text(record.get("arxiv_id") or record.get("arxiv")))
    name = (
        _text(record.get("id"))
        or hashlib.sha256(f"{doi}|{normalised_title(title)}|{year}|{authors}".encode()).hexdigest()[:16]
    )
    return Paper(
        id=name,
        title=title,
        abstract=_text(record.get("abstract")),
        authors=authors,
        year=year,
        venue=_text(record.get("booktitle") or record.get("venue") or record.get("journal")),
        doi=doi,
        arxiv_id=arxiv[1] if arxiv else "",
        url=url if url.startswith(("http://", "https://")) else "",
        published=_day(record.get("published")),
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return " ".join(_TAG.sub(" ", str(value)).split()) if isinstance(value, str | int | float) else ""


def _year(value: object) -> int:
    match = re.match(r"\s*(1[89]\d\d|20\d\d)\b", str(value))
    return int(match[1]) if match else 0


def _day(value: object) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(str(value)[:10])
    return None


def _authors(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = re.split(r"\s*;\s*|\s+and\s+", value)
    names = (
        (item.get("name", "") if isinstance(item, dict) else item for item in value) if isinstance(value, list) else ()
    )
    return tuple(name for item in names if (name := _text(item)))
