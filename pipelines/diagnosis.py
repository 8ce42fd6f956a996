"""What `litrag doctor` tells: which model each role has and on which host, what is installed, and what text goes where."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from litrag.core.paths import data_folder, home, models_folder
from litrag.core.settings import ROLES, Role, Settings
from litrag.core.sync import run
from litrag.core.versions import versions
from litrag.models.known_weights import KNOWN_WEIGHTS
from litrag.models.probing import Probed, probe, servers
from litrag.models.weights import ready
from litrag.retrievers.sources import KEYS, SOURCES, key_of
from litrag.retrievers.sources.library import list_libraries

__all__ = ["Diagnosis", "diagnose"]

_SENT: Final[dict[Role, str]] = {
    "rewrite": "the abstract",
    "react": "the abstract, queries and found abstracts",
    "rerank": "the abstract and found abstracts",
    "plan": "the abstract and cited abstracts",
    "write": "the abstract and cited abstracts",
    "support": "sentences of the review and cited abstracts",
    "verify": "sentences of the review and cited abstracts",
    "answer": "the question and found passages",
    "embed": "the abstract, queries and abstracts of the library",
}
_PACKAGES: Final = (
    "litrag",
    "torch",
    "transformers",
    "sentence-transformers",
    "litellm",
    "dspy",
    "langgraph",
    "bm25s",
    "qdrant-edge-py",
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings, as JSON and as lines."""

    data: dict[str, Any]
    lines: tuple[str, ...]


def diagnose(settings: Settings, *, apis: bool = False) -> Diagnosis:
    """Looks at this machine, and asks the model servers that the settings name what they can do; without one nothing is called and
    nothing heavy is imported. `apis` asks providers, too, who may charge for it."""
    roles = {role: _role(settings, role) for role in ROLES}
    weights = {name: ready(name) for name in KNOWN_WEIGHTS}
    libraries = {info.name: info.papers for info in list_libraries() if info.added}
    here = versions(_PACKAGES)
    asked = servers(settings, apis=apis)
    probed = run(probe(asked)) if asked else ()
    sources = {name: _source(settings, name) for name in SOURCES}
    keys = sorted(name for name in os.environ if name.endswith("_API_KEY"))
    data = {
        "profile": settings.profile,
        "roles": roles,
        "weights": weights,
        "servers": [asdict(server) for server in probed],
        "sources": sources,
        "libraries": libraries,
        "versions": here,
        "keys": keys,
        "home": str(home()),
        "models": str(models_folder()),
        "data": str(data_folder() or ""),
        "settings": settings.model_dump(mode="json"),
    }
    lines = [
        f"profile   {settings.profile}",
        "",
        "role      model                                     host         what is sent there",
    ]
    lines += [
        f"{role:<9} {r['model'] or '-':<41} {r['host']:<12} {_SENT[role] if r['model'] else ''}"
        for role, r in roles.items()
    ]
    lines += ["", *_server_lines(probed)] if probed else []
    lines += [
        "",
        *(
            f"weights   {name}: {'here' if here else 'not here; `litrag setup` fetches them'}"
            for name, here in weights.items()
            if here or name in _needed(settings)
        ),
    ]
    lines += [f"library   {name}: {n:,} papers" for name, n in libraries.items()] or [
        "library   none; add one with: litrag library add papers.bib"
    ]
    lines += [f"source    {name}: {s['host']}, {s['key']}; {s['sent'] or 'not used'}" for name, s in sources.items()]
    lines += [*_sent(settings), f"keys      {', '.join(keys) or 'none set (none is needed for local models)'}"]
    lines += [f"versions  {', '.join(f'{name} {v}' for name, v in here.items())}", f"home      {home()}"]
    told = (f"{name}={value}" for name, value in settings.model_dump(mode="json").items() if value not in (None, {}))
    lines += ["", f"settings  {', '.join(told)}"]
    return Diagnosis(data, tuple(lines))


def _sent(settings: Settings) -> list[str]:
    """Where else something goes."""
    sent = "vectors of libraries and queries, ids, dates, venues and file names are sent there, no text"
    vectors = [f"vectors   {settings.qdrant_url}; {sent}"] if settings.qdrant_url else []
    texts = ["texts     arXiv's PDFs; the ids of papers to cite are sent there"] if settings.full_text else []
    return [*vectors, *texts]


def _role(settings: Settings, role: Role) -> dict[str, str]:
    model = settings.role_model(role) or ""
    if not model:
        return {"model": "", "host": "-"}
    if model.startswith("local/"):
        return {"model": model, "host": "this machine"}
    base = settings.role_base(role)
    return {"model": model, "host": (urlsplit(base).hostname or base) if base else model.partition("/")[0]}


def _needed(settings: Settings) -> set[str]:
    return {(settings.role_model(role) or "").removeprefix("local/") for role in ROLES}


def _source(settings: Settings, name: str) -> dict[str, str | bool]:
    variables = KEYS[name]
    found = next((variable for variable in variables if key_of((variable,))), "")
    key = f"key from {found}" if found else f"no key ({variables[0]})" if variables else "needs no key"
    url = settings.source_urls.get(name)
    used = name in settings.sources
    looked_up = name == "crossref" and settings.checks_retractions
    sent = [*["words of title and queries"] * used, *["DOIs of cited papers"] * looked_up]
    return {
        "host": urlsplit(url).netloc if url else "its public host",
        "key": key,
        "used": used or looked_up,
        "sent": f"{', '.join(sent)} are sent there" if sent else "",
    }


def _server_lines(probed: Sequence[Probed]) -> list[str]:
    lines = []
    for server in probed:
        powers = {"chat": server.chat, "JSON schema": server.schema, "logprobs": server.logprobs}
        powers |= {"embeddings": server.embeddings, "reranking": server.reranking}
        context = f", context {server.context:,} tokens" if server.context else ""
        plain = ", ".join(f"{name} {found}" for name, found in powers.items() if found in ("yes", "no"))
        lines.append(f"server    {server.model} at {server.host}: {plain or 'nothing answered'}{context}")
        lines += [f"          {name}: {found}" for name, found in powers.items() if found not in ("yes", "no")]
    return lines
