"""What is trained upon the vector of a query while the vectors of documents stay: a linear map, and LexSemBridge's gate by words.

Needs torch; imported only where a model with a head is loaded or trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import torch
from torch.nn import functional

__all__ = ["HEAD_FILE", "QueryHead"]

HEAD_FILE: Final = "query_head.safetensors"


class QueryHead(torch.nn.Module):
    """q -> unit(q + q W), then -> unit(q * (1 + sum over tokens t of w_t E_t)), for q (n, d) of unit rows.

    W (d, d) begins at 0, so an untrained head changes nothing. The second step is the statistical form of LexSemBridge (Liu et al.,
    arXiv 2508.17858): w is the unit vector of log(1 + tf) * idf over the `tokens` (t,) that the training knew, E (t, d) begins at 0;
    other tokens count nothing. Without `tokens` there is no second step. Deviates: the paper maps a vector over the whole vocabulary."""

    def __init__(
        self,
        dimensions: int,
        *,
        mapped: bool = True,
        tokens: torch.Tensor | None = None,
        idf: torch.Tensor | None = None,
    ) -> None:
        """`tokens` are sorted ids, `idf` (t,) their inverse document frequencies."""
        super().__init__()
        self.map = torch.nn.Parameter(torch.zeros(dimensions, dimensions)) if mapped else None
        self.tokens: torch.Tensor | None
        self.idf: torch.Tensor | None
        self.register_buffer("tokens", tokens)
        self.register_buffer("idf", idf)
        self.lexical = torch.nn.Parameter(torch.zeros(len(tokens), dimensions)) if tokens is not None else None

    def forward(self, features: dict[str, Any], **more: Any) -> dict[str, Any]:
        """sentence-transformers' interface: reads and replaces "sentence_embedding"; reads "input_ids" and "attention_mask" where there
        are tokens."""
        return {**features, "sentence_embedding": self.turned(features["sentence_embedding"], features)}

    def turned(self, vectors: torch.Tensor, tokens: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The unit rows (n, d) of queries after the head."""
        if self.map is not None:
            vectors = functional.normalize(vectors + vectors @ self.map, dim=1)
        if self.lexical is not None:
            weights = self._weights(tokens["input_ids"], tokens["attention_mask"])
            vectors = functional.normalize(vectors * (1 + weights @ self.lexical), dim=1)
        return vectors

    def save(self, folder: Path) -> None:
        """Writes the head's tensors."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        state = {name: tensor.detach().contiguous().cpu() for name, tensor in self.state_dict().items()}
        save_file(state, folder / HEAD_FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote. Raises OSError, KeyError, RuntimeError for a damaged file."""
        from safetensors.torch import load_file

        state = load_file(folder / HEAD_FILE)
        either = state["map"] if "map" in state else state["lexical"]
        head = cls(either.shape[1], mapped="map" in state, tokens=state.get("tokens"), idf=state.get("idf"))
        head.load_state_dict(state)
        return head

    def _weights(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, t): how much each known token says about each query."""
        known, idf = self.tokens, self.idf
        assert known is not None
        assert idf is not None
        places = torch.searchsorted(known, ids).clamp(max=len(known) - 1)
        hits = ((known[places] == ids) & mask.bool()).to(idf.dtype)
        counts = torch.zeros(len(ids), len(known), dtype=idf.dtype, device=ids.device).scatter_add_(1, places, hits)
        return functional.normalize(torch.log1p(counts) * idf, dim=1)
