"""OpenAlex: works of all publishers. Since 2026 requests cost credits: without any left it answers 429, as it does to callers in a
hurry, and only its headers tell which."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final
from urllib.parse import quote

from litrag.core.errors import SourceFault, SourceOverloaded, SourceRefused
from litrag.core.imprint import imprint
from litrag.core.protocols import SourceResult
from litrag.core.types import Paper, Query
from litrag.retrievers.normal_forms import arxiv_id_in, doi
from litrag.retrievers.sources.online import answered, day, last_day, text_of, words_of
from litrag.retrievers.sources.web import Host, Web, WebRequest, retry_after

__all__ = ["OPENALEX", "OpenAlex"]

_URL: Final = "https://api.openalex.org"
_FIELDS: Final = "id,doi,display_name,publication_year,publication_date,type,biblio,authorships,primary_location,locations,abstract_inverted_index"
_TYPES: Final = {"book-chapter": "chapter", "book": "book", "dissertation": "thesis", "report": "report"}
_PAGE: Final = 100
_IDS: Final = 50  # ids joined by "or" in one filter
_MOST_WORDS: Final = 20_000


def _judge(status: int, headers: Mapping[str, str], text: str) -> SourceFault | None:
    """Too fast is worth another try; no credits left is not, before they are renewed."""
    if status not in (403, 429):
        return None
    left = _number(headers.get("x-ratelimit-remaining"))
    if left is not None and left <= 0:
        wait = _number(headers.get("x-ratelimit-reset"))
        when = f" for {wait / 3600:.1f} hours" if wait else " until midnight UTC"
        return SourceRefused(f"OpenAlex: no credits left{when}; a free key gives more (OPENALEX_API_KEY)")
    if status == 403 and "key" in text.lower():
        return SourceRefused("OpenAlex refuses the key; check OPENALEX_API_KEY, or unset it")
    return SourceOverloaded("OpenAlex: too fast", retry_after=retry_after(headers.get("retry-after", "")))


OPENALEX: Final = Host("OpenAlex", interval=0.1, judge=_judge)


class OpenAlex:
    """`Source` "openalex" and a `CitationGraph`. Without a key a few searches a day are free."""

    name = "openalex"
    host = OPENALEX

    def __init__(self, web: Web, *, url: str = "", key: str = "", seconds: float = 60.0, host: Host = OPENALEX) -> None:
        self._web, self._url, self._key, self._seconds, self._host = web, url or _URL, key, seconds, host

    async def search(self, query: Query, k: int) -> SourceResult:
        """At most `k` (100 at the most) works by OpenAlex's relevance; one request."""

        async def papers() -> list[Paper]:
            end = last_day(query)
            only = {"filter": f"to_publication_date:{end.isoformat()}"} if end else {}
            return await self._works({"search": " ".join(words_of(query, 20)), **only}, min(k, _PAGE))

        return await answered(self.name, query, k, papers)

    async def references(self, ids: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
        """The works that each id (`openalex:W…`, `W…` or `doi:10.…`) cites. Raises SourceFault; SourceUnknown for an id that
        OpenAlex does not know."""
        found: dict[str, tuple[Paper, ...]] = {}
        for name in ids:
            record = await self._get(f"/works/{_work(name)}", {"select": "id,referenced_works"})
            cited = [_work(str(url)) for url in record.get("referenced_works") or ()]
            works: list[Paper] = []
            for start in range(0, len(cited), _IDS):
                part = cited[start : start + _IDS]
                works += await self._works({"filter": f"ids.openalex:{'|'.join(part)}"}, len(part))
            found[name] = tuple(works)
        return found

    async def citations(self, ids: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
        """The works that cite each id, the 100 most cited first. Raises SourceFault."""
        found: dict[str, tuple[Paper, ...]] = {}
        for name in ids:
            work = _work(name)
            if work.startswith("doi:"):  # the filter takes ids of its own alone
                work = _work(text_of(await self._get(f"/works/{work}", {"select": "id"}), "id"))
            found[name] = tuple(await self._works({"filter": f"cites:{work}", "sort": "cited_by_count:desc"}, _PAGE))
        return found

    async def _works(self, params: Mapping[str, str], k: int) -> list[Paper]:
        answer = await self._get("/works", {**params, "per_page": str(max(1, k)), "select": _FIELDS})
        return _papers(answer.get("results") or ())

    async def _get(self, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        secret = {"api_key": self._key} if self._key else {}
        request = WebRequest(self._url + path, params, secret_params=secret)
        return await self._web.fetch(request, self._host, _record, seconds=self._seconds)


def _record(body: bytes) -> Mapping[str, Any]:
    answer = json.loads(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("results") or [], list):
        raise ValueError("no list of works")
    return answer


def _work(name: str) -> str:
    """As part of a URL: a DOI may hold "#" and "?"."""
    return quote(name, safe=":/()") if name.startswith("doi:") else name.rpartition("/")[2].removeprefix("openalex:")


def _papers(records: Iterable[Any]) -> list[Paper]:
    return [_paper(r) for r in records if isinstance(r, dict) and text_of(r, "id") and text_of(r, "display_name")]


def _paper(record: Mapping[str, Any]) -> Paper:
    places = [
        place for place in (record.get("primary_location"), *(record.get("locations") or ())) if isinstance(place, dict)
    ]
    year = record.get("publication_year")
    number = doi(text_of(record, "doi"))
    return Paper(
        id=f"openalex:{_work(text_of(record, 'id'))}",
        title=text_of(record, "display_name"),
        abstract=_abstract(record.get("abstract_inverted_index")),
        authors=tuple(filter(None, map(_author, record.get("authorships") or ()))),
        year=year if isinstance(year, int) else 0,
        venue=next((venue for place in places if (venue := text_of(place.get("source") or {}, "display_name"))), ""),
        doi=number,
        arxiv_id=arxiv_id_in(number, *(text_of(place, "landing_page_url") for place in places)),
        url=text_of(record, "doi") or text_of(record, "id"),
        published=_published(record.get("publication_date")),
        imprint=_imprint(record),
    )


def _imprint(record: Mapping[str, Any]) -> Mapping[str, str]:
    found = record.get("biblio")
    facts = found if isinstance(found, dict) else {}
    pages = dict.fromkeys(page for name in ("first_page", "last_page") if (page := text_of(facts, name)))
    kind = _TYPES.get(text_of(record, "type"), "")
    return imprint(
        {"type": kind, "page": "–".join(pages), **{name: text_of(facts, name) for name in ("volume", "issue")}}
    )


def _published(value: object) -> date | None:
    """The day; None for a 1 January, by which OpenAlex means that it knows the year alone."""
    found = day(value)
    return None if found is None or (found.month, found.day) == (1, 1) else found


def _author(authorship: object) -> str:
    author = authorship.get("author") if isinstance(authorship, dict) else None
    return text_of(author, "display_name") if isinstance(author, dict) else ""


def _abstract(index: object) -> str:
    """The text of an inverted index (word -> positions), which is how OpenAlex may publish abstracts."""
    if not isinstance(index, dict):
        return ""
    places = {
        place: str(word)
        for word, found in index.items()
        if isinstance(found, list)
        for place in found
        if isinstance(place, int) and 0 <= place < _MOST_WORDS
    }
    return " ".join(places[place] for place in sorted(places))


def _number(value: str | None) -> float | None:
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None
