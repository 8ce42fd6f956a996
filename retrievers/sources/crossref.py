"""Crossref: what publishers register with their DOIs, and what became of it since: retractions, those of Retraction Watch too."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from litrag.core.errors import SourceUnknown
from litrag.core.imprint import FIELDS, imprint
from litrag.core.protocols import SourceResult
from litrag.core.types import Paper, Query
from litrag.retrievers.normal_forms import arxiv_id_in, doi
from litrag.retrievers.sources.online import answered, last_day, text_of, words_of
from litrag.retrievers.sources.web import Host, Web, WebRequest

__all__ = ["CROSSREF", "Crossref", "Retraction"]

_URL: Final = "https://api.crossref.org"
_FIELDS: Final = "DOI,title,subtitle,abstract,author,issued,container-title,volume,issue,page,publisher,editor,type,URL,relation,update-to,updated-by"
_PAGE: Final = 100
_LONGEST: Final = 100_000
_DOIS: Final = 40  # in one filter, so that the URL stays below 4,000 characters
_PLAIN: Final = re.compile(r"[\w./()-]{,90}", re.ASCII)  # DOIs that a filter, where commas and colons divide, can hold
_TYPES: Final = {
    "journal-article": "article-journal",
    "proceedings-article": "paper-conference",
    "book-chapter": "chapter",
    "book": "book",
    "monograph": "book",
    "dissertation": "thesis",
    "report": "report",
}
_NO_PAPERS: Final = frozenset(
    "component dataset grant journal journal-issue journal-volume peer-review proceedings-series book-series report-component".split()
)
_KINDS: Final = ("retraction", "withdrawal", "removal", "partial_retraction", "expression_of_concern")  # gravest first
_RELATIONS: Final = {"is-retracted-by": "retraction", "has-retraction": "retraction", "is-withdrawn-by": "withdrawal"}

_HEADING: Final = re.compile(r"\s*<(?:jats:)?title>\s*(?:abstract|summary)\s*[.:]?\s*</(?:jats:)?title>", re.IGNORECASE)
_TEX: Final = re.compile(r"<(jats:tex-math|tex-math|mml:annotation)\b[^<>]*>.*?</\1>", re.DOTALL)  # MathML says it, too
_INLINE: Final = re.compile(
    r"</?(?:jats:)?(?:i|b|u|em|strong|italic|bold|sub|sup|sc|scp|xref|ext-link|named-content|styled-content|monospace)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"<!--.*?-->|</?[a-z][\w-]*(?::[\w-]+)?(?:\s[^<>]*)?/?>", re.IGNORECASE | re.DOTALL)
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)


CROSSREF: Final = Host("Crossref", interval=1.0)  # the rate of lists for callers without a mail address


@dataclass(frozen=True, slots=True)
class Retraction:
    """What became of a work. `kind`: retraction, withdrawal, removal, partial_retraction or expression_of_concern; `date` where the
    day is known; `notice_doi`: of the notice, which may be the work's own."""

    kind: str
    date: dt.date | None = None
    notice_doi: str = ""

    def __str__(self) -> str:
        day = f" of {self.date.isoformat()}" if self.date else ""
        return f"{self.kind.replace('_', ' ')}{day}" + (f", notice {self.notice_doi}" if self.notice_doi else "")


class Crossref:
    """`Source` "crossref", and look-up of DOIs. Works without a key. Results go by the DOIs as they were given."""

    name = "crossref"
    host = CROSSREF

    def __init__(self, web: Web, *, url: str = "", key: str = "", seconds: float = 60.0, host: Host = CROSSREF) -> None:
        self._web, self._url, self._seconds, self._host = web, url or _URL, seconds, host

    async def search(self, query: Query, k: int) -> SourceResult:
        """At most `k` (100 at the most) works by Crossref's relevance, without parts of papers and notices of retraction; one request."""

        async def papers() -> list[Paper]:
            params = {"query.bibliographic": " ".join(words_of(query, 20)), "rows": str(max(1, min(k, _PAGE)))}
            end = last_day(query)
            only = {"filter": f"until-pub-date:{end.isoformat()}"} if end else {}
            records = await self._list({**params, **only})
            return [
                _paper(r) for r in records if _is_work(r) and text_of(r, "type") not in _NO_PAPERS and not _is_notice(r)
            ]

        return await answered(self.name, query, k, papers)

    async def works(self, dois: Sequence[str]) -> dict[str, Paper]:
        """The works that are registered with Crossref; a request for 40. Raises SourceFault."""
        records = await self._records(dois)
        return {name: _paper(record) for name in dois if (record := records.get(doi(name))) and _is_work(record)}

    async def missing(self, dois: Sequence[str]) -> tuple[str, ...]:
        """The DOIs that no agency registers, nor can (a text that is no DOI). Those of DataCite, arXiv's among them, are not missing,
        though `works` lacks them. A request for 40, and one for each that Crossref lacks. Raises SourceFault."""
        records = await self._records(dois)
        return tuple([name for name in dict.fromkeys(dois) if doi(name) not in records and await self._unknown(name)])

    async def retractions(self, dois: Sequence[str]) -> dict[str, Retraction]:
        """The gravest of what publishers and Retraction Watch say about each work; works in good standing, and those reinstated since,
        are left out. A request for 40. Raises SourceFault."""
        records = await self._records(dois)
        found = {name: _retraction(doi(name), records) for name in dois if doi(name) in records}
        return {name: retraction for name, retraction in found.items() if retraction is not None}

    async def _records(self, dois: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """DOI in lower case -> its record."""
        numbers = list(dict.fromkeys(filter(None, map(doi, dois))))
        plain = [number for number in numbers if _PLAIN.fullmatch(number)]
        records: list[Mapping[str, Any]] = []
        for start in range(0, len(plain), _DOIS):
            part = plain[start : start + _DOIS]
            asked = {"filter": ",".join(f"doi:{number}" for number in part), "rows": str(len(part))}
            records += await self._list(asked)
        for number in numbers:
            if number not in plain and (record := await self._single(number, "")) is not None:
                records.append(record)
        return {number: record for record in records if (number := doi(text_of(record, "DOI"))) in numbers}

    async def _unknown(self, name: str) -> bool:
        return not doi(name) or await self._single(doi(name), "/agency") is None

    async def _list(self, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        request = WebRequest(f"{self._url}/works", {**params, "select": _FIELDS})
        return await self._web.fetch(request, self._host, _items, seconds=self._seconds)

    async def _single(self, number: str, what: str) -> Mapping[str, Any] | None:
        """The record under a DOI; None where the DOI does not exist."""
        request = WebRequest(f"{self._url}/works/{quote(number, safe='')}{what}")
        try:
            return await self._web.fetch(request, self._host, _message, seconds=self._seconds)
        except SourceUnknown:
            return None


def _message(body: bytes) -> Mapping[str, Any]:
    answer = json.loads(body)
    message = answer.get("message") if isinstance(answer, dict) else None
    if not isinstance(message, dict):
        raise ValueError("no message")
    return message


def _items(body: bytes) -> list[Mapping[str, Any]]:
    items = _message(body).get("items")
    if not isinstance(items, list):
        raise ValueError("no list of works")
    return [item for item in items if isinstance(item, dict)]


def _is_work(record: Mapping[str, Any]) -> bool:
    return bool(doi(text_of(record, "DOI"))) and bool(_title(record))


def _is_notice(record: Mapping[str, Any]) -> bool:
    own = doi(text_of(record, "DOI"))
    return any(kind in _KINDS and other != own for kind, _, other in _updates(record, "update-to"))


def _paper(record: Mapping[str, Any]) -> Paper:
    number = doi(text_of(record, "DOI"))
    parts = _date_parts(record.get("issued"))
    preprints = _dicts(_mapping(record.get("relation")).get("has-preprint"))
    return Paper(
        id=f"crossref:{number}",
        title=_title(record),
        abstract=_plain(_HEADING.sub("", str(record.get("abstract") or ""), count=1)),
        authors=tuple(filter(None, map(_author, _dicts(record.get("author"))))),
        year=parts[0] if parts else 0,
        venue=_first(record, "container-title"),
        doi=number,
        arxiv_id=arxiv_id_in(*(text_of(preprint, "id") for preprint in preprints)),
        url=text_of(record, "URL"),
        published=_day(parts),
        imprint=imprint(
            {**{name: text_of(record, name) for name in FIELDS}, "type": _TYPES.get(text_of(record, "type"), "")},
            [_author(editor) for editor in _dicts(record.get("editor"))],
        ),
    )


def _title(record: Mapping[str, Any]) -> str:
    title, more = _first(record, "title"), _first(record, "subtitle")
    return title if not more or title.endswith(more) else f"{title}: {more}" if title else ""


def _first(record: Mapping[str, Any], name: str) -> str:
    values = record.get(name)
    texts = (_plain(value) for value in (values if isinstance(values, list) else [values]) if isinstance(value, str))
    return next(filter(None, texts), "")


def _author(author: Mapping[str, Any]) -> str:
    parts = (_plain(text_of(author, name)) for name in ("given", "family"))
    return " ".join(part for part in parts if part) or _plain(text_of(author, "name"))


def _plain(text: str) -> str:
    """One line without JATS, MathML and HTML; entities are resolved twice, as many publishers escape twice, tags included."""
    text = _entities(text[:_LONGEST]) if "&lt;/" in text else text[:_LONGEST]
    text = _TAG.sub(" ", _INLINE.sub("", _TEX.sub("", text)))
    return " ".join(_entities(_entities(text)).encode("utf-8", "replace").decode().split())


def _entities(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text)


def _retraction(number: str, records: Mapping[str, Mapping[str, Any]]) -> Retraction | None:
    """`records` also hold notices that were asked for beside the work."""
    said = list(_updates(records[number], "updated-by"))
    for other, record in records.items():
        said += [(kind, parts, other) for kind, parts, updated in _updates(record, "update-to") if updated == number]
    for relation, links in _mapping(records[number].get("relation")).items():
        kind = _RELATIONS.get(relation, "")
        said += [(kind, (), doi(text_of(link, "id"))) for link in _dicts(links) if kind]
    back = max((parts for kind, parts, _ in said if kind == "reinstatement"), default=())
    stands = [(kind, parts, notice) for kind, parts, notice in said if kind in _KINDS and (not parts or parts > back)]
    if not stands:
        return None
    kind, parts, notice = min(stands, key=lambda item: (_KINDS.index(item[0]), not item[1], item[1]))
    return Retraction(kind, _day(parts), notice)


def _updates(record: Mapping[str, Any], name: str) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Kind, date and DOI of the other side."""
    for update in _dicts(record.get(name)):
        kind = re.sub(r"\W+", "_", text_of(update, "type").lower())
        yield kind, _date_parts(update.get("updated")), doi(text_of(update, "DOI"))


def _date_parts(value: object) -> tuple[int, ...]:
    """Year, month, day, as far as they are known: the inner list of {"date-parts": [[2019, 5]]}."""
    outer = _mapping(value).get("date-parts")
    inner = outer[0] if isinstance(outer, list) and outer else None
    parts = tuple(inner) if isinstance(inner, list) else ()
    known = all(isinstance(part, int) for part in parts) and (1000,) < parts[:1] < (3000,)
    return parts if known else ()


def _day(parts: Sequence[int]) -> dt.date | None:
    try:
        return dt.date(*parts) if len(parts) == 3 else None
    except (ValueError, OverflowError):
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
