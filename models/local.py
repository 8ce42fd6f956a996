"""Models in this process: `local/<hub id | folder | gguf>[+<adapter folder>]`, by torch, one worker thread a model."""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from litrag.core.errors import CapabilityMissing
from litrag.core.protocols import Embedder, ForcedScoring, Generates, NextTokenLogprobs, PairScoring, TokenEmbedder
from litrag.models.local_worker import BatchLimits, Runner, Worker
from litrag.models.request import ModelReply, ModelRequest
from litrag.models.weights import LocalModelPath, resolve_local

__all__ = ["LocalBackend", "capabilities", "process_backend"]

_POWERS: Final[dict[str, frozenset[type]]] = {
    "embedding": frozenset({Embedder, TokenEmbedder}),
    "generation": frozenset({Generates, NextTokenLogprobs, ForcedScoring}),
    "cross-encoder": frozenset({PairScoring}),
}
_HAVE: Final = {
    "embedding": "sentence-transformers folders, local/all-MiniLM-L6-v2",
    "generation": "causal language models, e.g. local/SmolLM2-135M-Instruct",
    "cross-encoder": "cross-encoders, local/<folder of a sequence classifier with one label>",
}
_GIVES: Final = {  # by operation: the kind of model that can, and what it gives
    "embed": ("embedding", "embeddings (Embedder)"),
    "embed_tokens": ("embedding", "vectors of tokens (TokenEmbedder)"),
    "generate": ("generation", "text (Generates)"),
    "score": ("generation", "scores of a given text (ForcedScoring)"),
    "next_token_logprobs": ("generation", "log-probabilities of the next token (NextTokenLogprobs)"),
    "relevance": ("cross-encoder", "the relevance of a text (PairScoring)"),
}
_GPU_LIMITS = BatchLimits(rows=128, tokens=32_768, cache=262_144, logits=2**29)


def capabilities(model: str) -> frozenset[type]:
    """The powers of a local model: Embedder and TokenEmbedder, or Generates, NextTokenLogprobs and ForcedScoring, or PairScoring alone.
    Loads nothing. Raises ModelUnavailable."""
    return _POWERS[resolve_local(model).kind]


@dataclass(frozen=True, slots=True)
class _Loaded:
    path: Path
    adapter: Path | None
    worker: Worker


class LocalBackend:
    """Implements `Backend`. Costs nothing until the first request; a model is loaded once, in its own thread, and again
    where its files have changed. Safe for several event loops and threads.

    `limits` bounds the batches of language models; None: 32 rows and 2048 tokens on the CPU, 128 and 32768 on a GPU.
    A request's `timeout` is for networks and means nothing here: what waits its turn has not failed."""

    def __init__(self, *, limits: BatchLimits | None = None) -> None:
        self._limits = limits
        self._workers: dict[str, _Loaded] = {}
        self._lock, self._turn = threading.Lock(), threading.Lock()
        weakref.finalize(self, _stop, self._workers).atexit = False  # workers end themselves then

    async def send(self, request: ModelRequest) -> ModelReply:
        """Answers one request. Raises BadInput (context overflow, a token that is none), ModelUnavailable,
        CapabilityMissing, MissingExtra."""
        place = resolve_local(request.model)
        kind, given = _GIVES[request.operation]
        if kind != place.kind:
            raise CapabilityMissing(request.model, given, _HAVE[kind])
        return await self._worker(request.model, place).send(request)

    def close(self) -> None:
        """Stops all threads after their current step and frees the models; requests in flight are refused."""
        with self._lock:
            _stop(self._workers, now=True)

    def _worker(self, model: str, place: LocalModelPath) -> Worker:
        with self._lock:
            if place.fingerprint not in self._workers:
                for fingerprint, old in list(self._workers.items()):
                    if (old.path, old.adapter) == (place.path, place.adapter):
                        self._workers.pop(fingerprint).worker.stop()
                worker = Worker(model, functools.partial(_load, model, place, self._limits, self._turn))
                self._workers[place.fingerprint] = _Loaded(place.path, place.adapter, worker)
            return self._workers[place.fingerprint].worker


@functools.cache
def process_backend() -> LocalBackend:
    """One backend for the whole process, so that several gateways share the loaded weights."""
    return LocalBackend()


def _load(model: str, place: LocalModelPath, limits: BatchLimits | None, turn: threading.Lock) -> Runner[Any]:
    from litrag.models.local_loading import load_causal, load_cross_encoder, load_embedder, prepare_torch

    on_cpu = prepare_torch().type == "cpu"
    own_turn: contextlib.AbstractContextManager[object] = turn if on_cpu else contextlib.nullcontext()
    if place.kind == "embedding":
        from litrag.models.local_embedding import EMBEDDING_LIMITS, EmbeddingRunner

        return EmbeddingRunner(load_embedder(model, place), EMBEDDING_LIMITS, own_turn)
    if place.kind == "cross-encoder":
        from litrag.models.local_cross_encoder import CROSS_ENCODER_LIMITS, CrossEncoderRunner

        cross_limits = CROSS_ENCODER_LIMITS if on_cpu else _GPU_LIMITS
        return CrossEncoderRunner(model, load_cross_encoder(model, place), cross_limits, own_turn)
    from litrag.models.local_causal import CausalRunner

    return CausalRunner(load_causal(model, place), limits or (BatchLimits() if on_cpu else _GPU_LIMITS), own_turn)


def _stop(workers: dict[str, _Loaded], *, now: bool = False) -> None:
    for loaded in workers.values():
        loaded.worker.stop(now=now)
    workers.clear()
