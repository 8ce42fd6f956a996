"""arXiv, Semantic Scholar, OpenAlex and Crossref on the loopback: their real shapes over papers of our own, and every way in which they fail."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from fakes.loopback import listening

from litrag.core.types import Paper

__all__ = ["APIS", "FAULTS", "Scholarly", "crossref_doi", "scholarly"]

APIS = ("arxiv", "semantic-scholar", "openalex", "crossref")
FAULTS = ("429", "429 for an hour", "500", "stall", "truncated", "html", "huge", "gone")


@dataclass
class Asked:
    """One request as it arrived."""

    api: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any
    at: float


@dataclass
class Scholarly:
    """`faults` by API, for as many requests as `times` says (None: all). `credits` of OpenAlex; `deaf` ignores dates; `twice` gives every
    paper twice; `bare` leaves the abstracts out. `cites`: id -> ids. `registered`: DOI -> what Crossref knows beyond the paper;
    `elsewhere`: DOIs of other agencies. `over`: what stalls does so until then."""

    papers: list[Paper] = field(default_factory=list)
    cites: dict[str, list[str]] = field(default_factory=dict)
    registered: dict[str, dict[str, Any]] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    faults: dict[str, str] = field(default_factory=dict)
    times: int | None = None
    credits: int = 1000
    deaf: bool = False
    twice: bool = False
    bare: bool = False
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failed: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def urls(self) -> dict[str, str]:
        """The setting `source_urls`."""
        base = f"http://127.0.0.1:{self.port}"
        return {"arxiv": f"{base}/arxiv/api/query", **{api: f"{base}/{api}" for api in APIS[1:]}}

    def count(self, api: str) -> int:
        """Requests that an API got."""
        return sum(asked.api == api for asked in self.asked)

    def fault(self, api: str) -> str:
        """What goes wrong with this request."""
        with self._lock:
            if api not in self.faults or (self.times is not None and self._failed[api] >= self.times):
                return ""
            self._failed[api] += 1
            return self.faults[api]

    def found(self, words: str, before: str) -> list[Paper]:
        """Papers that share a word, those that share most first, published up to a day."""
        wanted = {word for word in re.findall(r"\w+", words.lower()) if word not in ("all", "and", "or")}
        scored = [(len(wanted & set(re.findall(r"\w+", paper.text.lower()))), paper) for paper in self.papers]
        dated = [
            (n, paper)
            for n, paper in scored
            if self.deaf
            or not before
            or not paper.latest_date
            or (paper.published or paper.latest_date).isoformat() <= before
        ]
        ranked = [paper for n, paper in sorted(dated, key=lambda pair: -pair[0]) if n]
        return [paper for paper in ranked for _ in range(1 + self.twice)]

    def abstract(self, paper: Paper) -> str:
        """The abstract, or none."""
        return "" if self.bare else paper.abstract


@contextmanager
def scholarly(papers: list[Paper]) -> Iterator[Scholarly]:
    """A running server over papers."""
    state = Scholarly(papers)

    class Handler(_Handler):
        fake = state

    with listening(Handler) as state.port:
        try:
            yield state
        finally:
            state.over.set()


class _Handler(BaseHTTPRequestHandler):
    fake: Scholarly
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0)))))

    def _answer(self, body: Any) -> None:
        parts = urlsplit(self.path)
        api, _, path = parts.path.lstrip("/").partition("/")
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.asked.append(Asked(api, path, params, headers, body, time.monotonic()))
        fault = self.fake.fault(api)
        if fault:
            self._fail(fault)
            return
        if api == "openalex" and self.fake.credits <= 0:
            self._send(
                429, b'{"error": "Rate limit exceeded"}', {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7200"}
            )
            return
        if api == "arxiv":
            self._send(200, _atom(self.fake, params).encode(), {"Content-Type": "application/atom+xml"})
            return
        reply = {"semantic-scholar": _s2, "openalex": _openalex, "crossref": _crossref}[api](
            self.fake, path, params, body
        )
        status = 404 if reply is None else 200
        more = {"X-RateLimit-Remaining": str(self.fake.credits)} if api == "openalex" else {}
        self.fake.credits -= api == "openalex"
        self._send(status, json.dumps(reply if reply is not None else {"error": "not found"}).encode(), more)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, fault: str) -> None:
        try:
            if fault == "429":
                self._send(
                    429, b'{"message": "Too Many Requests"}', {"Retry-After": "0", "X-RateLimit-Remaining": "900"}
                )
            elif fault == "429 for an hour":
                self._send(
                    429, b'{"message": "Too Many Requests"}', {"Retry-After": "3600", "X-RateLimit-Remaining": "900"}
                )
            elif fault == "500":
                self._send(500, b"oops")
            elif fault == "stall":
                self.fake.over.wait()
                self.close_connection = True
            elif fault == "truncated":
                self._send(
                    200, b'<?xml version="1.0"?><feed><entry>' if "arxiv" in self.path else b'{"data": [{"paperId"'
                )
            elif fault == "html":
                self._send(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"})
            elif fault == "gone":
                self.close_connection = True
                self.connection.close()
            else:
                self.send_response(200)
                self.end_headers()
                for _ in range(50):
                    self.wfile.write(b" " * 1_000_000)
                self.close_connection = True
        except OSError:
            self.close_connection = True  # the caller has had enough


def _atom(fake: Scholarly, params: dict[str, str]) -> str:
    asked = params.get("search_query", "")
    dates = re.search(r"submittedDate:\[\d+ TO (\d{4})(\d\d)(\d\d)2359\]", asked)
    end = "-".join(dates.groups()) if dates else ""
    every = fake.found(asked.partition(" AND submittedDate")[0].strip("()"), end)
    if wanted := [name for name in params.get("id_list", "").split(",") if name]:
        every = [paper for paper in fake.papers if _arxiv_name(paper) in wanted]
    start, most = int(params.get("start", 0)), int(params.get("max_results", 10))
    entries = "".join(_entry(fake, paper, i) for i, paper in enumerate(every[start : start + most]))
    spaces = 'xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom"'
    total = f"<opensearch:totalResults>{len(every)}</opensearch:totalResults><opensearch:startIndex>{start}</opensearch:startIndex>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<feed {spaces}><title>arXiv Query</title><id>x</id>{total}{entries}</feed>\n'


def _arxiv_name(paper: Paper) -> str:
    return paper.arxiv_id or f"{paper.year % 100:02d}01.{sum(map(ord, paper.id)) % 100000:05d}"


def _entry(fake: Scholarly, paper: Paper, place: int) -> str:
    """A second copy of one paper is its next version."""
    name = _arxiv_name(paper)
    version = 1 + (place % 2 if fake.twice else 0)
    day = (paper.published or paper.latest_date).isoformat() if paper.latest_date else "1980-01-01"
    authors = "".join(f"<author><name>{escape(author)}</name></author>" for author in paper.authors)
    number = f"<arxiv:doi>{paper.doi}</arxiv:doi>" if paper.doi else ""
    return (
        f"<entry><id>http://arxiv.org/abs/{name}v{version}</id><updated>2024-01-01T00:00:00Z</updated>"
        f"<published>{day}T12:00:00Z</published><title>{escape(paper.title)}</title>"
        f"<summary>\n  {escape(fake.abstract(paper))}\n</summary>{authors}{number}"
        f'<link href="http://arxiv.org/abs/{name}v{version}" rel="alternate" type="text/html"/>'
        '<arxiv:primary_category term="cs.CL"/><category term="cs.CL"/></entry>'
    )


def _s2_record(fake: Scholarly, paper: Paper) -> dict[str, Any]:
    external = {
        "CorpusId": 7,
        **({"DOI": paper.doi} if paper.doi else {}),
        **({"ArXiv": paper.arxiv_id} if paper.arxiv_id else {}),
    }
    return {
        "paperId": paper.id.replace("-", "") * 4,
        "externalIds": external,
        "url": f"https://www.semanticscholar.org/paper/{paper.id}",
        "title": paper.title,
        "abstract": fake.abstract(paper) or None,
        "venue": paper.venue,
        "year": paper.year or None,
        "publicationDate": paper.published.isoformat() if paper.published else None,
        "authors": [{"authorId": "1", "name": name} for name in paper.authors],
    }


def _s2(fake: Scholarly, path: str, params: dict[str, str], body: Any) -> Any:
    by_id = {paper.id.replace("-", "") * 4: paper for paper in fake.papers}
    end = params.get("publicationDateOrYear", "").removeprefix(":")
    if path == "graph/v1/paper/search":
        every, most = fake.found(params["query"], end), int(params["limit"])
        data = [_s2_record(fake, paper) for paper in every[:most]]
        return {"total": len(every), "offset": 0, **({"data": data} if data else {})}
    if path == "graph/v1/paper/search/bulk":
        every, start = fake.found(params["query"], end), int(params.get("token", 0))
        more = {"token": str(start + 3)} if start + 3 < len(every) else {"token": None}
        return {"total": len(every), **more, "data": [_s2_record(fake, p) for p in every[start : start + 3]]}
    if path == "graph/v1/paper/batch":
        return [_s2_record(fake, by_id[name]) if name in by_id else None for name in body["ids"]]
    if path == "recommendations/v1/papers":
        liked = [by_id[name] for name in body["positivePaperIds"] if name in by_id]
        every = [p for paper in liked for p in fake.found(paper.title, "") if p not in liked]
        return {"recommendedPapers": [_s2_record(fake, paper) for paper in every[: int(params["limit"])]]}
    name, _, kind = unquote(path.removeprefix("graph/v1/paper/")).rpartition("/")
    by_id |= {f"DOI:{paper.doi}": paper for paper in fake.papers if paper.doi}
    by_id |= {f"ARXIV:{paper.arxiv_id}": paper for paper in fake.papers if paper.arxiv_id}
    if name not in by_id:
        return None
    if kind == "references":
        ids = fake.cites.get(by_id[name].id, [])
        linked = [paper for paper in fake.papers if paper.id in ids]
        return {
            "offset": 0,
            "data": [{"citedPaper": _s2_record(fake, paper)} for paper in linked]
            + [{"citedPaper": {"paperId": None, "title": "unknown"}}],
        }
    linked = [paper for paper in fake.papers if by_id[name].id in fake.cites.get(paper.id, [])]
    return {"offset": 0, "data": [{"citingPaper": _s2_record(fake, paper)} for paper in linked]}


def _openalex_record(fake: Scholarly, paper: Paper) -> dict[str, Any]:
    index: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(fake.abstract(paper).split()):
        index[word].append(place)
    day = paper.published.isoformat() if paper.published else f"{paper.year}-01-01" if paper.year else None
    preprint = f"https://arxiv.org/abs/{paper.arxiv_id}" if paper.arxiv_id else None
    return {
        "id": f"https://openalex.org/W{_number(paper)}",
        "doi": f"https://doi.org/{paper.doi}" if paper.doi else None,
        "display_name": paper.title,
        "publication_year": paper.year or None,
        "publication_date": day,
        "authorships": [{"author": {"id": "A1", "display_name": name}} for name in paper.authors],
        "primary_location": {"source": {"display_name": paper.venue}, "landing_page_url": preprint},
        "locations": [{"source": None, "landing_page_url": preprint}],
        "abstract_inverted_index": dict(index) or None,
        "referenced_works": [
            f"https://openalex.org/W{_number(p)}" for p in fake.papers if p.id in fake.cites.get(paper.id, [])
        ],
    }


def _number(paper: Paper) -> int:
    return int.from_bytes(paper.id.encode()[-6:], "big")


def _openalex(fake: Scholarly, path: str, params: dict[str, str], body: Any) -> Any:
    by_id = {f"W{_number(paper)}": paper for paper in fake.papers}
    only = dict(part.split(":", 1) for part in params.get("filter", "").split(",") if part)
    if path.startswith("works/"):
        by_id |= {f"doi:{paper.doi}": paper for paper in fake.papers if paper.doi}
        by_id |= {f"doi:10.48550/arxiv.{paper.arxiv_id}": paper for paper in fake.papers if paper.arxiv_id}
        paper = by_id.get(unquote(path.removeprefix("works/")))
        return _openalex_record(fake, paper) if paper else None
    if "cites" in only:
        cited = by_id[only["cites"]]
        every = [paper for paper in fake.papers if cited.id in fake.cites.get(paper.id, [])]
    elif "ids.openalex" in only:
        every = [by_id[name] for name in only["ids.openalex"].split("|") if name in by_id]
    else:
        every = fake.found(params.get("search", ""), only.get("to_publication_date", ""))
    found = [_openalex_record(fake, paper) for paper in every[: int(params["per_page"])]]
    return {"meta": {"count": len(every), "page": 1, "per_page": int(params["per_page"])}, "results": found}


def crossref_doi(paper: Paper) -> str:
    """The DOI under which the fake Crossref has a paper; "" for preprints, which it has not."""
    return paper.doi or ("" if paper.arxiv_id else f"10.5555/{paper.id}")


def _crossref_record(fake: Scholarly, paper: Paper) -> dict[str, Any]:
    day = paper.published
    preprint = {"id-type": "doi", "id": f"10.48550/arXiv.{paper.arxiv_id}", "asserted-by": "subject"}
    number = crossref_doi(paper)
    names = [name.rpartition(" ") for name in paper.authors]
    jats = f"<jats:title>Abstract</jats:title><jats:p>{escape(fake.abstract(paper))}</jats:p>"
    return {
        "DOI": number,
        "URL": f"https://doi.org/{number}",
        "type": "journal-article",
        "title": [escape(paper.title)],
        "author": [{"given": given, "family": family, "sequence": "first"} for given, _, family in names],
        "issued": {"date-parts": [[day.year, day.month, day.day] if day else [paper.year or None]]},
        "container-title": [paper.venue],
        "relation": {"has-preprint": [preprint]} if paper.arxiv_id else {},
        **({"abstract": jats} if fake.abstract(paper) else {}),
        **fake.registered.get(number, {}),
    }


def _crossref(fake: Scholarly, path: str, params: dict[str, str], body: Any) -> Any:
    by_doi = {crossref_doi(paper).lower(): paper for paper in fake.papers if crossref_doi(paper)}
    number, _, _ = unquote(path.removeprefix("works/")).partition("/agency")
    if path.endswith("/agency"):
        agency = "crossref" if number in by_doi else "datacite" if number in fake.elsewhere else ""
        message: Any = {"DOI": number, "agency": {"id": agency, "label": agency}} if agency else None
        return {"status": "ok", "message-type": "work-agency", "message": message} if message else None
    if path != "works":
        record = _crossref_record(fake, by_doi[number]) if number in by_doi else None
        return {"status": "ok", "message-type": "work", "message": record} if record else None
    only = [part.split(":", 1) for part in params.get("filter", "").split(",") if part]
    asked = [by_doi[value] for name, value in only if name == "doi" and value in by_doi]
    end = next((value for name, value in only if name == "until-pub-date"), "")
    if "query.bibliographic" in params:
        asked = [paper for paper in fake.found(params["query.bibliographic"], end) if crossref_doi(paper)]
    wanted = params["select"].split(",")
    records = [_crossref_record(fake, paper) for paper in asked[: int(params["rows"])]]
    items = [{name: value for name, value in record.items() if name in wanted} for record in records]
    return {
        "status": "ok",
        "message-type": "work-list",
        "message": {"total-results": len(asked), "items-per-page": int(params["rows"]), "items": items},
    }
