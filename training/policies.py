"""Policies that answer the agent's requests while they are trained, and keep the tokens of what they wrote: the model in process, or a vLLM server that
TRL brings into step with it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from litrag.core.errors import BadInput, ModelFault, PromptTooLong
from litrag.core.protocols import Usage
from litrag.core.store import digest
from litrag.models.local_causal import CausalRow, CausalRunner
from litrag.models.local_loading import CausalModel
from litrag.models.local_prompts import PromptCoder
from litrag.models.local_worker import BatchLimits, Worker
from litrag.models.request import Backend, ModelReply, ModelRequest
from litrag.training.rollouts import Rollout

__all__ = ["InProcess", "Kept", "Policy", "Served"]

_FINISH: Final = re.compile(r"\[\[ ## action ## \]\]\W*finish", re.IGNORECASE)


class Policy(Protocol):
    """What is rolled out."""

    kept: Kept

    def at_work(self) -> contextlib.AbstractContextManager[Backend]:
        """What answers requests, until left."""


class Kept:
    """Prompt and reply of each request, as tokens of `tokenizer`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, tuple[list[int], list[int]]] = {}

    def keep(self, request: ModelRequest, prompt: Sequence[int], reply: Sequence[int]) -> None:
        """The tokens of one request."""
        self._known[request.key] = (list(prompt), list(reply))

    def drawn(self, rollout: Rollout, draw: Sequence[int]) -> tuple[list[int], list[int]]:
        """Prompt and reply of one turn of a trajectory, of a reply that was read as a finish what leads up to that word. Raises BadInput where there is no
        turn."""
        if not rollout.turns:
            raise BadInput(f"no trajectory can be learned from: {rollout.stop_reason}; raise prompt_tokens")
        turn = rollout.turns[int(digest(list(draw))[:8], 16) % len(rollout.turns)]
        prompt, reply = self._known[turn.request.key]
        return prompt, reply[: self.finished(reply)] if turn.finishes else reply

    def finished(self, reply: Sequence[int]) -> int:
        """How many tokens a reply has up to the word that ends the search; all where it goes on."""
        low, high = 0, len(reply)
        if not self._finishes(reply):
            return high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._finishes(reply[:middle]) else (middle, high)
        return high

    def _finishes(self, reply: Sequence[int]) -> bool:
        return bool(_FINISH.search(self._tokenizer.decode(list(reply), skip_special_tokens=True)))


class InProcess(CausalRunner):
    """The model itself, without dropout meanwhile."""

    limits_: Final = BatchLimits()

    def __init__(self, model: Any, loaded: CausalModel, longest: int) -> None:
        context = min(longest, loaded.context or longest)
        live = CausalModel(loaded.name, model, loaded.tokenizer, model.device, context, loaded.ends)
        super().__init__(live, self.limits_, contextlib.nullcontext())
        self.kept = Kept(loaded.tokenizer)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Backend]:
        """Its worker."""
        worker, training = Worker("policy", lambda: self), self._model.training
        self._model.eval()
        try:
            yield worker
        finally:
            worker.stop()
            worker.join()
            self._model.train(training)

    def reply(self, request: ModelRequest, rows: Sequence[CausalRow]) -> ModelReply:
        """As every model's; the tokens stay."""
        self.kept.keep(request, rows[0].prompt, rows[0].out)
        return super().reply(request, rows)


class Served:
    """A vLLM server through TRL's client (`trl.generation.vllm_client`), whose weights the trainer sends before a step's trajectories. Prompts go as token
    ids, so they are the very ones that are learned."""

    def __init__(self, client: Any, loaded: CausalModel, longest: int) -> None:
        self._client, self._tokenizer = client, loaded.tokenizer
        self._coder, self._ends = PromptCoder(loaded.tokenizer), loaded.ends
        self._longest = min(longest, loaded.context or longest)
        self.kept = Kept(loaded.tokenizer)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Backend]:
        """Itself."""
        yield self

    async def send(self, request: ModelRequest) -> ModelReply:
        """One reply. Raises PromptTooLong, ModelFault."""
        prompt = self._coder.prompt(request.messages)
        if len(prompt) + request.max_tokens > self._longest:
            raise PromptTooLong(f"{request.model}: {len(prompt)} tokens and a reply do not fit {self._longest}")
        more = {"seed": int(request.key[:8], 16), **({"stop": list(request.stop)} if request.stop else {})}
        try:
            found = await asyncio.to_thread(
                self._client.generate,
                [prompt],
                temperature=request.temperature,
                max_tokens=request.max_tokens,
                logprobs=None,
                generation_kwargs=more,
            )
        except Exception as error:  # the client raises plain ones; the agent would take them for a bad reply
            raise ModelFault(f"the vLLM server gave no reply ({error}); check server=") from error
        (reply,) = found["completion_ids"]
        self.kept.keep(request, prompt, reply)
        ended = bool(reply) and reply[-1] in self._ends
        said = self._tokenizer.decode(reply[:-1] if ended else reply, skip_special_tokens=True)
        return ModelReply(Usage(len(prompt), len(reply)), texts=(said,), finish=("stop" if ended else "length",))
