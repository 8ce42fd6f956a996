"""arXiv, through the `arxiv` package: it writes the queries and reads the feeds, on a thread; our web class carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from litrag.core.protocols import SourceResult
from litrag.core.types import Paper, Query
from litrag.retrievers.normal_forms import arxiv_id, doi
from litrag.retrievers.sources.online import answered, last_day, words_of
from litrag.retrievers.sources.web import Host, Web, WebRequest

__all__ = ["ARXIV", "ArxivSource", "search_query"]

ARXIV: Final = Host("arXiv", interval=3.1)  # its terms: one request in three seconds, as it sees them
_URL: Final = "https://export.arxiv.org/api/query"
_PAGE: Final = 100
_ALL_OF: Final = 4  # so many words must all occur; of more, any
_MOST: Final = 12


@dataclass(frozen=True, slots=True)
class _Answer:
    content: bytes
    status_code: int = 200


class _Carrier:
    """Stands where the package has its HTTP session; hands each page to the event loop and waits for it."""

    def __init__(self, fetch: Callable[[str], Any], loop: asyncio.AbstractEventLoop) -> None:
        self._fetch, self._loop = fetch, loop

    def get(self, url: str, headers: object = None) -> _Answer:
        return _Answer(asyncio.run_coroutine_threadsafe(self._fetch(url), self._loop).result())


class ArxivSource:
    """`Source` "arxiv": preprints with their abstracts. Their day is that of the first version. No key."""

    name = "arxiv"
    host = ARXIV

    def __init__(self, web: Web, *, url: str = "", key: str = "", seconds: float = 60.0, host: Host = ARXIV) -> None:
        self._web, self._url, self._seconds, self._host = web, url or _URL, seconds, host
        # Of its own: a thread waits for its page here, and the page waits for a thread of the common pool.
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="litrag-arxiv")

    async def search(self, query: Query, k: int) -> SourceResult:
        """At most `k` papers, by arXiv's relevance; one request a hundred."""
        loop = asyncio.get_running_loop()

        async def papers() -> list[Paper]:
            return await loop.run_in_executor(self._threads, self._found, query, k, loop)

        return await answered(self.name, query, k, papers)

    def close(self) -> None:
        """Ends its threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        """The papers of arXiv ids; those that arXiv lacks are left out. Raises SourceFault."""
        import arxiv

        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._read, arxiv.Search(id_list=list(ids)), len(ids), loop)
        return {paper.arxiv_id: paper for paper in found if paper.arxiv_id in ids}

    def _found(self, query: Query, k: int, loop: asyncio.AbstractEventLoop) -> list[Paper]:
        import arxiv

        return self._read(arxiv.Search(query=search_query(query), max_results=k), k, loop)

    def _read(self, search: Any, k: int, loop: asyncio.AbstractEventLoop) -> list[Paper]:
        import arxiv

        client = arxiv.Client(page_size=min(k, _PAGE), delay_seconds=0.0, num_retries=0)
        client.query_url_format = self._url + "?{}"
        client._session = _Carrier(self._page, loop)
        return [_paper(result) for result in client.results(search)]

    async def _page(self, url: str) -> bytes:
        return await self._web.fetch(WebRequest(url), self._host, _feed, seconds=self._seconds)


def search_query(query: Query) -> str:
    """The query in arXiv's language. Dates are those of the first version, both ends included."""
    words = words_of(query, _MOST)
    joined = (" AND " if len(words) <= _ALL_OF else " OR ").join(f"all:{word}" for word in words)
    end = last_day(query)
    return f"({joined}) AND submittedDate:[199101010000 TO {end:%Y%m%d}2359]" if end else joined


def _feed(body: bytes) -> bytes:
    """The feed, if it is one: the package takes a page of HTML for a feed without results. Raises ValueError."""
    if b"<feed" not in body[:2000] or b"</feed>" not in body[-200:]:
        raise ValueError("no whole Atom feed")
    if b"<title>Error</title>" in body:
        raise ValueError("arXiv reports an error in the query")
    return body


def _paper(result: Any) -> Paper:
    name = arxiv_id(result.get_short_id())
    published = result.published.date() if result.published.year > 1990 else None
    return Paper(
        id=f"arxiv:{name}",
        title=" ".join(result.title.split()),
        abstract=" ".join(result.summary.split()),
        authors=tuple(author.name for author in result.authors),
        year=published.year if published else 0,
        venue="arXiv",
        doi=doi(result.doi or ""),
        arxiv_id=name,
        url=f"https://arxiv.org/abs/{name}",
        published=published,
    )
