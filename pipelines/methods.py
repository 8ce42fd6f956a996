"""Rerankers by id, with what each needs: a power of the model in the role rerank, the embedder, token vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litrag.core import registry
from litrag.core.errors import BadInput
from litrag.core.options import checked
from litrag.core.paths import tokens_folder
from litrag.core.protocols import Embedder, PairScoring, Reranker, TokenEmbedder
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.rerankers import RERANKERS

if TYPE_CHECKING:
    from litrag.retrievers.tokens import TokenStore

__all__ = ["Rerankers"]


@dataclass(slots=True)
class Rerankers:
    """Builds rerankers on a gateway; `tokens` is the store that one of them opened. `embedder` is None where there is none to use."""

    gateway: Gateway
    embedder: Embedder | None = None
    tokens: TokenStore | None = None

    def name(self, wanted: str) -> str:
        """The id behind "auto": by the model that is set, else by the embedder, else the first stage's order."""
        if wanted != "auto":
            return wanted
        if self.gateway.has("rerank"):
            return "cross-encoder" if self.gateway.powers("rerank") == {PairScoring} else "insertrank"
        return "similarity" if self.embedder else "none"

    def build(self, wanted: str, options: Mapping[str, Any] | None = None) -> Reranker:
        """The reranker of an id with settings of its own. Raises UnknownName, BadInput (a setting, no model), CapabilityMissing."""
        name = self.name(wanted)
        made = registry.find("reranker", RERANKERS, name)
        chosen = checked(f"reranker {name}", made, options or {})
        needs = getattr(made, "needs", None)
        try:
            built: Reranker = (
                made(self.gateway.resolve("rerank", needs=needs), **chosen)
                if needs is not None
                else made(**self._parts(name), **chosen)
            )
        except ValueError as error:
            raise BadInput(f"reranker {name}: {error}") from error
        return built

    def _parts(self, name: str) -> dict[str, Any]:
        if name == "similarity":
            return {"embedder": self.embedder or self.gateway.embedder()}
        if name == "maxsim":
            self.gateway.check("embed")
            embedder = self.gateway.embedder(needs=TokenEmbedder)
            self.tokens = self.tokens or _token_store(embedder)
            return {"embedder": embedder, "documents": self.tokens}
        return {}


def _token_store(embedder: GatewayEmbedder) -> TokenStore:
    """The store of a model's token vectors; other weights under the same name have another."""
    from litrag.retrievers.indexes import model_slug
    from litrag.retrievers.tokens import TokenStore

    return TokenStore(
        tokens_folder() / f"{model_slug(embedder.documents_model)}-{embedder.fingerprint[:8]}".rstrip("-"), embedder
    )
