"""Reading papers from files of references: JSON Lines (plain or gzip), BibTeX with abstracts, RIS, CSL-JSON, Zotero's CSV. One broken
record is a warning with its place; a file that holds nothing readable is an error with the first place and the remedy."""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeAlias

from litrag.core.errors import BadInput
from litrag.core.imprint import FIELDS, imprint
from litrag.core.types import Paper, normalised_title
from litrag.retrievers.normal_forms import arxiv_id, arxiv_id_in, doi, own_key
from litrag.retrievers.sources.bibtex import bibtex_records
from litrag.retrievers.sources.ris import ris_records
from litrag.retrievers.sources.zotero import zotero_records

__all__ = ["PAPER_KINDS", "Warn", "read_papers", "refuse_binary", "translated"]

Warn: TypeAlias = Callable[[str], None]
_Records: TypeAlias = Iterator[tuple[str, object]]
_INLINE_TAG: Final = re.compile(
    r"</?(?:jats:|mml:)?(?:i|b|u|em|strong|italic|bold|sub|sup|sc|span|font|tt|a)(?:\s+[\w:-]+\s*=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
_TAG: Final = re.compile(
    r"</?(?:(?:jats|mml):[\w-]+|p|br|div|title|sec|h[1-6]|ul|ol|li|scp|math|m(?:row|i|n|o|sup|sub))(?:\s+[\w:-]+\s*=[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def read_papers(path: Path, warn: Warn) -> Iterator[Paper]:
    """The papers of a file of `PAPER_KINDS`, in its order, one at a time. Raises BadInput for a file that is of another kind than its
    name says, or without a readable paper."""
    name = path.name.lower()
    reader = next(reader for kind, reader in _READERS.items() if name.endswith(kind))
    count = 0
    problems: list[str] = []

    def note(problem: str) -> None:
        if not problems:
            problems.append(problem)
        warn(problem)

    with translated(path):
        refuse_binary(path)
        for where, record in reader(path, note):
            paper = _paper(record) if isinstance(record, dict) else None
            if paper is None:
                note(f"{where}: {'no title' if isinstance(record, dict) else 'no record'}; left out")
            else:
                count += 1
                yield paper
    if not count:
        first = f" ({problems[0].removesuffix('; left out')})" if problems else ""
        raise BadInput(f"{path} holds no readable paper{first}; each needs at least a title")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """What reading a file raises, as BadInput that names the file and the remedy."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(f"{path} is a damaged gzip file ({error}); fetch it again") from error
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}; check its permissions") from error


def refuse_binary(path: Path) -> None:
    """Raises BadInput for a file that is no UTF-8 text, by its first bytes."""
    with _opened(path) as file:
        start = file.read(4096)
    if start.startswith(b"%PDF-"):
        raise BadInput(f"{path} is a PDF, whatever its name says; call it {path.stem}.pdf")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadInput(f"{path} is not UTF-8 text but UTF-16; save it as UTF-8")
    if b"\0" in start:
        raise BadInput(f"{path} is a binary file, not text; fetch it again, or leave it out")


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _json_lines(path: Path, warn: Warn) -> _Records:
    with _opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{path.name}, line {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                record = json.loads(text) if text else None
            except UnicodeDecodeError:
                warn(f"{where}: not UTF-8 text; left out")
            except (ValueError, RecursionError) as error:
                warn(f"{where}: no JSON ({_short(error)}); left out")
            else:
                if text:
                    yield where, record


def _csl(path: Path, warn: Warn) -> _Records:
    """CSL-JSON; also what is often called .json: a list of plain records, JSON Lines."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        if getattr(error, "msg", "") == "Extra data":
            yield from _json_lines(path, warn)
            return
        raise BadInput(f"{path} is no JSON ({_short(error)}); export it again as CSL-JSON") from error
    items = data.get("items", data.get("references", [data])) if isinstance(data, dict) else data
    for number, item in enumerate(items if isinstance(items, list) else [], start=1):
        yield f"{path.name}, record {number}", _from_csl(item) if isinstance(item, dict) else item


_READERS: Final[Mapping[str, Callable[[Path, Warn], _Records]]] = {
    ".jsonl": _json_lines,
    ".jsonl.gz": _json_lines,
    ".ndjson": _json_lines,
    ".bib": bibtex_records,
    ".json": _csl,
    ".ris": ris_records,
    ".csv": zotero_records,
}
PAPER_KINDS: Final = tuple(_READERS)


def _short(error: Exception) -> str:
    """The parser's words without its dump of the text."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno}, character {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:80]


def _from_csl(item: Mapping[str, Any]) -> dict[str, Any]:
    issued = item.get("issued")
    parts = issued.get("date-parts") if isinstance(issued, dict) else None
    first = parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], list) else []
    day = [int(str(part)) for part in first if re.fullmatch(r"[0-9]{1,4}", str(part))]
    raw = (issued.get("raw") or issued.get("literal")) if isinstance(issued, dict) else issued
    found = {
        "authors": item.get("author"),
        "year": day[0] if day else raw,
        "published": "-".join(f"{part:02d}" for part in day) if len(day) == 3 else raw,
        "venue": item.get("container-title"),
        "doi": item.get("DOI"),
        "url": item.get("URL"),
        "key": item.get("citation-key") or item.get("key") or (own_key(item.get("id")) if item.get("type") else ""),
    }
    return {**item, **{name: value for name, value in found.items() if value}}


def _paper(record: Mapping[str, Any]) -> Paper | None:
    title = _text(record.get("title"))
    if not normalised_title(title):
        return None
    authors = _authors(record.get("authors", record.get("author")))
    number = doi(_text(record.get("doi")))
    url = _text(record.get("url"))
    published = _day(record.get("published"))
    year = _year(record.get("year")) or (published.year if published else _year(record.get("published")))
    arxiv = arxiv_id(_text(record.get("arxiv_id") or record.get("arxiv"))) or arxiv_id_in(number, url)
    return Paper(
        id=_text(record.get("id") or record.get("_id")) or _made_id(number, title, year, authors),
        title=title,
        abstract=_text(record.get("abstract") or record.get("text")),  # BEIR's documents have a text
        authors=authors,
        year=year,
        venue=_text(record.get("booktitle")) or _text(record.get("venue")) or _text(record.get("journal")),
        doi=number,
        arxiv_id=arxiv,
        url=url if url.lower().startswith(("http://", "https://")) else "",
        published=published,
        key=_text(record.get("key")),
        imprint=imprint({name: _text(record.get(name)) for name in FIELDS}, _authors(record.get("editor"))),
    )


def _made_id(number: str, title: str, year: int, authors: Iterable[str]) -> str:
    return hashlib.sha256(f"{number}|{normalised_title(title)}|{year}|{tuple(authors)}".encode()).hexdigest()[:16]


def _text(value: object) -> str:
    """One line without markup, entities, control characters and broken surrogates."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if not isinstance(value, str | int | float):
        return ""
    text = _ENTITY.sub(lambda match: html.unescape(match[0]), _TAG.sub(" ", _INLINE_TAG.sub("", str(value))))
    return " ".join(_CONTROL.sub(" ", text).encode("utf-8", "replace").decode().split())


def _year(value: object) -> int:
    match = re.match(r"\s*(1[89]\d\d|20\d\d)(?!\d)", str(value), re.ASCII)
    return int(match[1]) if match else 0


def _day(value: object) -> date | None:
    with suppress(ValueError):
        day = date.fromisoformat(str(value)[:10])
        return day if 1800 <= day.year < 2100 else None
    return None


def _authors(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = _split_names(value)
    names = (_name(item) for item in value) if isinstance(value, list) else ()
    return tuple(name for name in names if name)


def _split_names(text: str) -> list[str]:
    """Names joined by ";" or "and"; by commas only where each part is a whole name and not "Family, Given"."""
    parts = re.split(r"\s*;\s*|\s+and\s+", text)
    if len(parts) == 1 and "," in text:
        whole = [part.strip() for part in text.split(",")]
        if all(" " in part and part[0].isupper() for part in whole):
            return whole
    return parts


def _name(item: object) -> str:
    if not isinstance(item, dict):
        return _text(item)
    whole = _text(item.get("name")) or _text(item.get("literal"))
    parts = (_text(item.get(part)) for part in ("given", "non-dropping-particle", "family"))
    return whole or " ".join(part for part in parts if part)
