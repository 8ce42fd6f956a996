"""Everything one run needs, built once from its request: models by role, sources, budget, ledger, store, progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from litrag.agents.one_pass import RecordedSearch
from litrag.core.budget import Budget
from litrag.core.errors import BudgetSpent, EnvironmentFault, NothingToSearch
from litrag.core.events import Event, Listener, silent
from litrag.core.ledger import Ledger
from litrag.core.paths import cache_file, web_file
from litrag.core.protocols import Generates, Reranker, Rewriter, Source
from litrag.core.settings import ROLES, Role, Settings, stored_settings
from litrag.core.store import RequestCache, Store
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.models.request import Backend
from litrag.pipelines.methods import (
    built_reranker,
    built_rewriter,
    reranker_id,
    rewriter_id,
    token_store,
    why_no_embedder,
)
from litrag.pipelines.runs import Run
from litrag.pipelines.state import ReviewRequest

if TYPE_CHECKING:
    from litrag.retrievers.snowball import Snowball
    from litrag.retrievers.sources.library import Library
    from litrag.retrievers.sources.web import Web
    from litrag.retrievers.tokens import TokenStore

__all__ = ["Workshop", "fill_library", "lacks_vectors", "open_workshop"]


@dataclass(slots=True)
class Workshop:
    """The parts of one run. Close it when the run ends; what it stored stays."""

    request: ReviewRequest
    settings: Settings
    run: Run
    gateway: Gateway
    store: Store
    embedder: GatewayEmbedder | None
    sources: Sequence[Source]
    listen: Listener = silent
    start_warnings: list[str] = field(default_factory=list)
    web: Web | None = None
    tokens: TokenStore | None = None
    snowball: Snowball | None = None

    @property
    def ledger(self) -> Ledger:
        """The run's ledger."""
        return self.gateway.ledger

    @property
    def budget(self) -> Budget:
        """The run's budget."""
        return self.gateway.budget

    @property
    def libraries(self) -> list[Library]:
        """The libraries among the sources."""
        from litrag.retrievers.sources.library_search import LibrarySource

        return [source.library for source in self.sources if isinstance(source, LibrarySource)]

    @property
    def recorded_search(self) -> RecordedSearch:
        """Searches under the run's budget."""
        return RecordedSearch(self.budget, self.ledger, self.store)

    def writes(self, role: Role) -> Generates | None:
        """The model of a role that writes text, or None where none is set."""
        return self.gateway.resolve(role, needs=Generates) if self.gateway.has(role) else None

    @property
    def rewriter_id(self) -> str:
        """The id of the rewriter in force, where the settings say auto, too."""
        return rewriter_id(self.settings.rewriter, self.gateway)

    def rewriter(self) -> Rewriter:
        """The rewriter in force; those that rewrite with what a first search finds search the run's sources."""
        from litrag.pipelines.finding import FirstSearch

        options = self.settings.rewriter_options
        return built_rewriter(self.settings.rewriter, self.gateway, options, retriever=FirstSearch(self))

    @property
    def reranker_id(self) -> str:
        """The id of the reranker in force, where the settings say auto, too."""
        return reranker_id(self.settings.reranker, self.gateway)

    def reranker(self) -> Reranker:
        """The reranker in force."""
        options = self.settings.reranker_options
        return built_reranker(self.settings.reranker, self.gateway, options, tokens=self._token_store)

    def say(self, stage: str, message: str = "", *, done: int = 0, total: int = 0) -> None:
        """Reports progress."""
        self.listen(Event(stage, message, "progress", done, total))

    def close(self) -> None:
        """Closes the files."""
        self.store.close()
        self.ledger.close()
        self.gateway.cache.close()
        if self.web is not None:
            self.web.close()
        if self.tokens is not None:
            self.tokens.close()
        for source in self.sources:
            if (close := getattr(source, "close", None)) is not None:
                close()

    def _token_store(self, embedder: GatewayEmbedder) -> TokenStore:
        """One for the whole run."""
        self.tokens = self.tokens or token_store(embedder)
        return self.tokens


async def open_workshop(
    run: Run, *, listen: Listener = silent, backend: Backend | None = None, fill: bool = True, lenient: bool = False
) -> Workshop:
    """The workshop of a run, new or resumed; without `fill`, nothing is sent to anybody yet: libraries keep the vectors that they have; `lenient` as `Gateway`. Raises BadInput (settings, libraries), ModelFault (a model that cannot be had),
    NothingToSearch."""
    request = run.request
    settings = stored_settings(request.settings)
    ledger = Ledger(run.database)
    budget = Budget(settings.limits(), spent=ledger.spend(), seconds_before=ledger.seconds())
    gateway = Gateway(
        settings, cache=RequestCache(cache_file()), ledger=ledger, budget=budget, backend=backend, lenient=lenient
    )
    warnings: list[str] = []
    embedder = _embedder(gateway, warnings)
    for role in ROLES:
        if role != "embed" and gateway.has(role):
            gateway.check(role)
    store = Store(run.database)
    shop = Workshop(request, settings, run, gateway, store, embedder, (), listen, warnings)
    shop.rewriter(), shop.reranker()  # an unknown id is found before anything is spent
    shop.sources = await _sources(request, shop, fill)
    from litrag.pipelines.snowballing import snowball_of

    if settings.agent == "react":
        gateway.resolve("react", needs=Generates)
    shop.snowball = snowball_of(shop, lambda text: listen(Event("snowball", text, "warning")))
    return shop


def lacks_vectors(library: Library, settings: Settings) -> bool:
    """Whether some paper or passage has no vector yet by the embedding model, on the server or here. Raises ModelUnavailable."""
    from litrag.models.weights import documents_model
    from litrag.retrievers.sources.library_search import vector_count

    name = settings.role_model("embed") or ""
    model = name if why_no_embedder(settings) else documents_model(name)
    return vector_count(library, model, settings.qdrant_url) < library.info().rows


async def fill_library(library: Library, settings: Settings, listen: Listener) -> str:
    """Fills in the vectors of a library, resumably; returns why it could not, or ""."""
    from litrag.retrievers.sources.library_search import fill_vectors

    if lack := why_no_embedder(settings):
        return f"{lack}; BM25 is ready"
    gateway = Gateway(settings, cache=RequestCache(cache_file()))
    try:
        await fill_vectors(library, gateway.embedder(), url=settings.qdrant_url, listen=listen)
    finally:
        gateway.cache.close()
    return ""


def _embedder(gateway: Gateway, warnings: list[str]) -> GatewayEmbedder | None:
    if lack := why_no_embedder(gateway.settings):
        warnings.append(f"{lack}; went on with BM25 and word statistics")
        return None
    gateway.check("embed")
    return gateway.embedder()


async def _sources(request: ReviewRequest, shop: Workshop, fill: bool) -> tuple[Source, ...]:
    """Libraries, then sources on the web. Raises NothingToSearch, BadInput, UnknownName."""
    from litrag.retrievers.sources import online_sources

    online: tuple[Source, ...] = ()
    if _needs_web(shop.settings):
        from litrag.retrievers.sources.web import Web

        ttl = shop.settings.source_days * 86400
        shop.web = Web(web_file(), contact=shop.settings.contact, ttl=ttl, replay=shop.settings.replay)
        online = online_sources(shop.settings.sources, shop.settings, shop.web)
    libraries = await _library_sources(request, shop, fill)
    if not libraries and not online:
        raise NothingToSearch(
            "nothing to search: no library was added and none was named; add one with `litrag library add papers.bib`,"
            " name a file with --library, or a source with --source arxiv"
        )
    return (*libraries, *online)


def _needs_web(settings: Settings) -> bool:
    from litrag.pipelines.snowballing import GRAPHS

    online_graph = bool(settings.snowball) and settings.snowball_graph in GRAPHS
    return bool(settings.sources) or settings.checks_retractions or settings.full_text or online_graph


async def _library_sources(request: ReviewRequest, shop: Workshop, fill: bool) -> tuple[Source, ...]:
    from litrag.retrievers.sources.library import list_libraries, open_library
    from litrag.retrievers.sources.library_search import WORDS_ALONE, LibrarySource, fill_vectors, vector_count

    url = shop.settings.qdrant_url
    embedder = shop.embedder if shop.settings.retriever == "auto" else None
    libraries: list[Library] = []
    if request.libraries:
        libraries = [open_library(name, listen=shop.listen) for name in request.libraries]
    else:
        libraries = [open_library(info.name, listen=shop.listen) for info in list_libraries() if info.added]
    for library in libraries:
        shop.start_warnings.extend(library.warnings)
        rows = library.info().rows
        if embedder is None or not fill or rows > shop.settings.embed_at_once:
            continue
        if vector_count(library, embedder.documents_model, url) < rows:
            try:
                await fill_vectors(library, embedder, url=url, listen=shop.listen)
            except (BudgetSpent, EnvironmentFault) as error:
                shop.start_warnings.append(f"library {library.name}: {error}; {WORDS_ALONE}")
    called = Counter(library.name for library in libraries)
    names = [library.name if called[library.name] == 1 else library.folder.name for library in libraries]
    return tuple(
        LibrarySource(library, embedder, name=name, url=url) for library, name in zip(libraries, names, strict=True)
    )
