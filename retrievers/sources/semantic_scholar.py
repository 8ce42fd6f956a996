"""Semantic Scholar's Academic Graph and recommendations: search by relevance, bulk search, lookup, citation graph."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from litrag.core.errors import SourceFault, SourceRefused
from litrag.core.imprint import imprint
from litrag.core.protocols import SourceResult
from litrag.core.types import Paper, Query
from litrag.retrievers.normal_forms import arxiv_id, doi
from litrag.retrievers.sources.online import answered, day, last_day, text_of, words_of
from litrag.retrievers.sources.web import Host, Web, WebRequest

__all__ = ["SEMANTIC_SCHOLAR", "SemanticScholar"]

_URL: Final = "https://api.semanticscholar.org"
_FIELDS: Final = "paperId,externalIds,url,title,abstract,venue,journal,year,publicationDate,authors.name"
_ARXIV: Final = re.compile(r"(arxiv|corr)\b", re.IGNORECASE)  # their "volume" is an id, whatever the venue
_SEARCH_PAGE: Final = 100
_BULK_PAGE: Final = 1000
_BATCH: Final = 500
_LINKS_PAGE: Final = 1000


def _judge(status: int, headers: Mapping[str, str], text: str) -> SourceFault | None:
    if status == 403:
        return SourceRefused("Semantic Scholar refuses the key; check SEMANTIC_SCHOLAR_API_KEY, or unset it")
    return None


SEMANTIC_SCHOLAR: Final = Host(
    "Semantic Scholar", interval=1.1, judge=_judge
)  # a new key's rate; without one all share a pool


class SemanticScholar:
    """`Source` "semantic-scholar" and a `CitationGraph`. Works without a key, which shares one pool of requests with everybody.

    Ids are those of the API: a paperId, `DOI:…`, `ARXIV:…`, `CorpusId:…`; papers carry `s2:<paperId>`, which is taken, too."""

    name = "semantic-scholar"
    host = SEMANTIC_SCHOLAR

    def __init__(
        self, web: Web, *, url: str = "", key: str = "", seconds: float = 60.0, host: Host = SEMANTIC_SCHOLAR
    ) -> None:
        self._web, self._url, self._key, self._seconds, self._host = web, url or _URL, key, seconds, host

    async def search(self, query: Query, k: int) -> SourceResult:
        """At most `k` (100 at the most) papers by the API's relevance; one request."""

        async def papers() -> list[Paper]:
            params = {"query": " ".join(words_of(query, 20)), "limit": str(min(k, _SEARCH_PAGE)), **self._dates(query)}
            answer = await self._get("/graph/v1/paper/search", params)
            return _papers(answer.get("data") or ())

        return await answered(self.name, query, k, papers)

    async def bulk(self, query: Query, k: int) -> SourceResult:
        """At most `k` papers in no order of relevance; a request a thousand. Words are joined by "and"."""

        async def papers() -> list[Paper]:
            params = {"query": " + ".join(words_of(query, 8)), **self._dates(query)}
            found: list[Paper] = []
            while len(found) < k:
                answer = await self._get("/graph/v1/paper/search/bulk", params)
                found += _papers(answer.get("data") or ())
                if not answer.get("token"):
                    break
                params = {**params, "token": str(answer["token"])}
            return found

        return await answered(self.name, query, k, papers)

    async def papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        """The papers of ids that the API knows; a request for 500. Raises SourceFault."""
        found: dict[str, Paper] = {}
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            records = await self._post(
                "/graph/v1/paper/batch", {"fields": _FIELDS}, {"ids": [_api_id(n) for n in part]}
            )
            if not isinstance(records, list) or len(records) != len(part):
                raise SourceRefused(f"{self._host.name} answered {len(part)} ids with something else")
            found |= {name: _paper(record) for name, record in zip(part, records, strict=True) if _is_paper(record)}
        return found

    async def references(self, ids: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
        """The papers that each id cites. Raises SourceFault; SourceUnknown for an id that the API does not know."""
        return {name: await self._links(name, "references", "citedPaper") for name in ids}

    async def citations(self, ids: Sequence[str]) -> dict[str, tuple[Paper, ...]]:
        """The papers that cite each id, up to a thousand. Raises as `references` does."""
        return {name: await self._links(name, "citations", "citingPaper") for name in ids}

    async def recommendations(self, ids: Sequence[str], k: int = 100) -> tuple[Paper, ...]:
        """Papers like these, at most 500. Raises SourceFault."""
        body = {"positivePaperIds": [_api_id(name) for name in ids]}
        params = {"fields": _FIELDS, "limit": str(min(k, _BATCH))}
        answer = await self._post("/recommendations/v1/papers", params, body)
        return tuple(_papers(answer["recommendedPapers"] if isinstance(answer, dict) else ()))

    async def _links(self, name: str, kind: str, inside: str) -> tuple[Paper, ...]:
        params = {"fields": _FIELDS, "limit": str(_LINKS_PAGE)}
        part = quote(_api_id(name), safe=":/()")  # a DOI may hold "#" and "?"
        answer = await self._get(f"/graph/v1/paper/{part}/{kind}", params, fields=False)
        return tuple(_papers(link.get(inside) for link in answer.get("data") or ()))

    async def _get(self, path: str, params: Mapping[str, str], *, fields: bool = True) -> Mapping[str, Any]:
        asked = {**params, "fields": _FIELDS} if fields else dict(params)
        request = WebRequest(self._url + path, asked, secret_headers=self._headers())
        return await self._web.fetch(request, self._host, _record, seconds=self._seconds)

    async def _post(self, path: str, params: Mapping[str, str], body: Any) -> Any:
        request = WebRequest(self._url + path, params, body, secret_headers=self._headers())
        return await self._web.fetch(request, self._host, json.loads, seconds=self._seconds)

    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self._key} if self._key else {}

    def _dates(self, query: Query) -> dict[str, str]:
        end = last_day(query)
        return {"publicationDateOrYear": f":{end.isoformat()}"} if end else {}


def _record(body: bytes) -> Mapping[str, Any]:
    """An object. Raises ValueError for anything else."""
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise ValueError("no object")
    if not isinstance(answer.get("data") or [], list):
        raise ValueError("its data are no list")
    return answer


def _api_id(name: str) -> str:
    return name.removeprefix("s2:")


def _is_paper(record: object) -> bool:
    return isinstance(record, dict) and bool(record.get("paperId")) and bool(text_of(record, "title"))


def _papers(records: Iterable[Any]) -> list[Paper]:
    return [_paper(record) for record in records if _is_paper(record)]


def _paper(record: Mapping[str, Any]) -> Paper:
    external = record.get("externalIds") or {}
    year = record.get("year")
    authors = record.get("authors") or ()
    journal = record.get("journal")
    where = journal if isinstance(journal, dict) and not _ARXIV.match(text_of(journal, "name")) else {}
    return Paper(
        id=f"s2:{record['paperId']}",
        title=text_of(record, "title"),
        abstract=text_of(record, "abstract"),
        authors=tuple(name for author in authors if isinstance(author, dict) and (name := text_of(author, "name"))),
        year=year if isinstance(year, int) and 1000 < year < 3000 else 0,
        venue=text_of(record, "venue"),
        doi=doi(str(external.get("DOI") or "")),
        arxiv_id=arxiv_id(str(external.get("ArXiv") or "")),
        url=text_of(record, "url"),
        published=day(record.get("publicationDate")),
        imprint=imprint({"volume": text_of(where, "volume"), "page": text_of(where, "pages")}),
    )
