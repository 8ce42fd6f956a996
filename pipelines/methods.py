"""Rerankers and rewriters by id, made of the models that a gateway has: reviews, `litrag rerank`, `litrag rewrite` and evals make them here."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from litrag.core import registry
from litrag.core.errors import BadInput
from litrag.core.options import Option
from litrag.core.paths import tokens_folder
from litrag.core.protocols import PairScoring, Reranker, Retriever, Rewriter, TokenEmbedder
from litrag.core.settings import Settings
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.rerankers import RERANKERS
from litrag.rewriters import REWRITERS

if TYPE_CHECKING:
    from litrag.retrievers.tokens import TokenStore

__all__ = [
    "auto_reranker",
    "auto_rewriter",
    "built_reranker",
    "built_rewriter",
    "reranker_id",
    "reranker_settings",
    "rewriter_id",
    "token_store",
    "why_no_embedder",
]

Maker: TypeAlias = Callable[..., Reranker]
_NONE: Final[Mapping[str, Option]] = MappingProxyType({})


def auto_reranker(gateway: Gateway) -> str:
    """What "auto" stands for: with a rerank model insertrank, or cross-encoder where that is all it can; else similarity where there is an
    embedder, else none. Raises BadInput, ModelUnavailable."""
    if gateway.has("rerank"):
        return "cross-encoder" if gateway.powers("rerank") == {PairScoring} else "insertrank"
    return "none" if why_no_embedder(gateway.settings) else "similarity"


def reranker_id(name: str, gateway: Gateway) -> str:
    """The id that a setting means, "auto" among them. Raises BadInput, ModelUnavailable."""
    return auto_reranker(gateway) if name == "auto" else name


def reranker_settings(name: str) -> Mapping[str, object]:
    """The settings of a reranker's own and their defaults. Raises UnknownName."""
    return {setting: parameter.default for setting, parameter in _settings(_maker(name)).items()}


def built_reranker(
    name: str,
    gateway: Gateway,
    options: Mapping[str, Option] = _NONE,
    *,
    tokens: Callable[[GatewayEmbedder], TokenStore] | None = None,
) -> Reranker:
    """The reranker of an id, or of "auto", with `options` as its own settings; its seed is the gateway's where none is given. `tokens`
    says where token vectors are kept (None: in `token_store`).

    Raises UnknownName, BadInput (options, no model for the role), ModelUnavailable, CapabilityMissing."""
    name = reranker_id(name, gateway)
    maker = _maker(name)
    values = _checked(f"reranker {name}", maker, options)
    if "seed" in _settings(maker):
        values.setdefault("seed", gateway.settings.seed)
    made = _with_models(name, maker, gateway, tokens or token_store)
    try:
        return made(**values)
    except ValueError as error:
        raise BadInput(f"reranker {name}: {error}") from error


def auto_rewriter(gateway: Gateway) -> str:
    """What "auto" stands for: keywords by a model that writes, else by word statistics."""
    return "keywords" if gateway.has("rewrite") else "statistical"


def rewriter_id(name: str, gateway: Gateway) -> str:
    """The id that a setting means, "auto" among them."""
    return auto_rewriter(gateway) if name == "auto" else name


def built_rewriter(
    name: str, gateway: Gateway, options: Mapping[str, Option] = _NONE, *, retriever: Retriever | None = None
) -> Rewriter:
    """The rewriter of an id, or of "auto", with `options` as its own settings; `retriever` is the first search of those that rewrite with what it
    finds.

    Raises UnknownName, BadInput (options, no model for the role, no first search), ModelUnavailable, CapabilityMissing."""
    name = rewriter_id(name, gateway)
    maker: Callable[..., Rewriter] = registry.find("rewriter", REWRITERS, name)
    values = _checked(f"rewriter {name}", maker, options)
    if getattr(maker, "searches", False):
        if retriever is None:
            raise BadInput(
                f"rewriter {name} rewrites with what a first search finds; use it in `litrag search --rewriter {name}` or a review"
            )
        values["retriever"] = retriever
    needs = getattr(maker, "needs", None)
    try:
        return maker(**values) if needs is None else maker(gateway.resolve("rewrite", needs=needs), **values)
    except ValueError as error:
        raise BadInput(f"rewriter {name}: {error}") from error


def token_store(embedder: GatewayEmbedder) -> TokenStore:
    """The store of a model's token vectors; other weights under the same name have another."""
    from litrag.retrievers.indexes import model_slug
    from litrag.retrievers.tokens import TokenStore

    name = f"{model_slug(embedder.documents_model)}-{embedder.fingerprint[:8]}".rstrip("-")
    return TokenStore(tokens_folder() / name, embedder)


def why_no_embedder(settings: Settings) -> str:
    """What the embedding model lacks here, with the remedy; "" where it can be used. A model that litrag does not fetch itself (an
    API's, a folder) is taken as there; what it lacks shows when it is called."""
    from litrag.models.known_weights import KNOWN_WEIGHTS
    from litrag.models.weights import ready

    name = settings.role_model("embed") or ""
    if name == "none":
        return "no embedding model: none was asked for"
    if not name.startswith("local/"):
        return ""
    if importlib.util.find_spec("sentence_transformers") is None:
        return "no embedding model: pip install 'litrag[local]' brings what runs it, `litrag setup` its weights"
    short = name.removeprefix("local/")
    return "no embedding model: `litrag setup` fetches it" if short in KNOWN_WEIGHTS and not ready(short) else ""


def _maker(name: str) -> Maker:
    maker: Maker = registry.find("reranker", RERANKERS, name)
    return maker


def _settings(maker: Callable[..., Any], *, types: bool = False) -> dict[str, inspect.Parameter]:
    """The parameters with a plain default, which models have not; with `types`, annotations are the types that they name."""
    parameters = inspect.signature(maker, eval_str=types).parameters
    return {name: each for name, each in parameters.items() if isinstance(each.default, str | int | float)}


def _checked(what: str, maker: Callable[..., Any], options: Mapping[str, Option]) -> dict[str, Any]:
    """The options as the types of the reranker's settings. Raises BadInput, naming the setting and those there are."""
    from pydantic import TypeAdapter, ValidationError

    known = _settings(maker, types=True) if options else {}
    listed = ", ".join(f"{setting} ({each.default!r})" for setting, each in known.items()) or "none"
    values: dict[str, Any] = {}
    for setting, value in options.items():
        if setting not in known:
            raise BadInput(f"{what} has no setting {setting!r}; there is: {listed}")
        try:
            values[setting] = TypeAdapter(known[setting].annotation).validate_python(value)
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise BadInput(f"{what}, setting {setting}={value}: {problem}; there is: {listed}") from error
    return values


def _with_models(name: str, maker: Maker, gateway: Gateway, tokens: Callable[[GatewayEmbedder], TokenStore]) -> Maker:
    """The reranker with its models, its settings still open."""
    if name == "similarity":
        gateway.check("embed")
        return partial(maker, gateway.embedder())
    if name == "maxsim":
        gateway.check("embed")
        embedder = gateway.embedder(needs=TokenEmbedder)
        return partial(maker, embedder=embedder, documents=tokens(embedder))
    needs = getattr(maker, "needs", None)
    if needs is None:
        return maker
    gateway.check("rerank")
    return partial(maker, gateway.resolve("rerank", needs=needs))
