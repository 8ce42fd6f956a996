"""DSPy on the gateway: `dspy.configure(lm=GatewayLM(gateway, "rewrite"))`.

One call of a DSPy module is one request, whatever `n` is: one row in the ledger, one in the cache. DSPy's own cache and
retries are off. Built on DSPy's engine interface (3.4 and later), since subclasses of `dspy.BaseLM` are on their way
out there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import dspy
from dspy import lm15
from dspy.utils.exceptions import LMError

from litrag.core.errors import BadInput, LitragError
from litrag.core.settings import Role
from litrag.core.types import Message
from litrag.models.doors import blank_request, send_blocking
from litrag.models.gateway import Gateway
from litrag.models.request import Backend, ModelReply, ModelRequest

__all__ = ["GatewayLM"]

logging.getLogger("dspy.clients.lm").setLevel(logging.ERROR)  # a truncated reply is counted by whoever reads it


@dataclass(slots=True)
class _Call:
    """One call of the LM: DSPy asks its engine once a reply; the gateway is asked once for all of them."""

    n: int
    rollout: int
    replies: list[lm15.Response] | None = field(default=None)


_CALL: ContextVar[_Call | None] = ContextVar("litrag_dspy_call", default=None)


class GatewayLM(dspy.LM):  # type: ignore[misc]
    """The model of a role as a DSPy language model, synchronous and asynchronous.

    `temperature` and `max_tokens` hold where a call sets none; `wrap` goes around the gateway, to count. DSPy's `rollout_id` is added to the seed, so that
    rollouts differ. Errors are litrag's own: ModelFault, BudgetSpent, BadInput. Replies from litrag's cache report no
    usage, as those of DSPy's cache do."""

    _cache_responses = False  # DSPy's switch, which a call's `cache=True` cannot turn

    def __init__(
        self,
        gateway: Gateway,
        role: Role,
        *,
        temperature: float = 0.0,
        max_tokens: int = 1024,
        wrap: Callable[[Backend], Backend] = lambda backend: backend,
        **settings: Any,
    ) -> None:
        model = gateway.model(role).model
        engine = _Engine(gateway, wrap(gateway), role, model, temperature, max_tokens)
        super().__init__(
            model, cache=False, num_retries=0, engine=engine, async_engine=_AsyncEngine(engine), **settings
        )

    def __call__(self, prompt: Any = None, *, messages: Any = None, **options: Any) -> Any:
        """DSPy's interface: a list of replies, or a Response for an explicit Request."""
        with self._one_request(options):
            return super().__call__(prompt, messages=messages, **options)

    async def acall(self, prompt: Any = None, *, messages: Any = None, **options: Any) -> Any:
        """The same, awaited."""
        with self._one_request(options):
            return await super().acall(prompt, messages=messages, **options)

    @contextmanager
    def _one_request(self, options: dict[str, Any]) -> Iterator[None]:
        merged = {**self.kwargs, **options}
        token = _CALL.set(_Call(n=merged.get("n") or 1, rollout=merged.get("rollout_id") or 0))
        try:
            yield
        except LMError as error:
            if isinstance(error.__cause__, LitragError):
                raise error.__cause__ from None
            raise
        finally:
            _CALL.reset(token)


@dataclass(frozen=True, slots=True)
class _Engine:
    gateway: Gateway
    backend: Backend
    role: Role
    model: str
    temperature: float
    max_tokens: int

    @property
    def supports_response_schema(self) -> bool:
        """In-process models do not constrain their replies."""
        return not self.model.startswith("local/")

    @property
    def supported_params(self) -> frozenset[str]:
        """OpenAI's names of what a call may set."""
        return frozenset({"temperature", "max_tokens", "stop", "seed", "n", "response_format"})

    def complete(self, request: lm15.Request) -> lm15.Response:
        """One reply; of a call for several, the next one."""
        call = _CALL.get() or _Call(1, 0)
        if call.replies is None:
            asked = self.asked(request, call)
            call.replies = _responses(self.model, send_blocking(self.backend, asked))
        return call.replies.pop(0)

    def asked(self, request: lm15.Request, call: _Call) -> ModelRequest:
        """DSPy's request as the gateway's. Raises BadInput for what the gateway does not carry."""
        config = request.config
        for name in ("top_p", "top_k", "frequency_penalty", "presence_penalty", "tool_choice", "logprobs"):
            if getattr(config, name) is not None:
                raise BadInput(f"{self.model}: {name} is not carried by litrag's gateway; leave it out")
        if request.tools:
            raise BadInput(
                f"{self.model}: tools are not carried by litrag's gateway; let the adapter write them into the prompt"
            )
        blank = blank_request(self.gateway, self.model, self.role, self.gateway.settings.role_base(self.role))
        form = config.response_format or {}
        return replace(
            blank,
            messages=_messages(request),
            schema=form.get("schema") if form.get("type") == "json_schema" else None,
            n=call.n,
            temperature=self.temperature if config.temperature is None else config.temperature,
            max_tokens=config.max_tokens or self.max_tokens,
            stop=tuple(config.stop),
            seed=(blank.seed if config.seed is None else config.seed) + call.rollout,
        )


@dataclass(frozen=True, slots=True)
class _AsyncEngine:
    engine: _Engine

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """One reply; of a call for several, the next one."""
        call = _CALL.get() or _Call(1, 0)
        if call.replies is None:
            asked = self.engine.asked(request, call)
            call.replies = _responses(self.engine.model, await self.engine.backend.send(asked))
        return call.replies.pop(0)


def _messages(request: lm15.Request) -> tuple[Message, ...]:
    system = (
        request.system
        if isinstance(request.system, str) or request.system is None
        else "".join(p.text for p in request.system)
    )
    messages = [Message("system", system)] if system else []
    for message in request.messages:
        role = "system" if message.role == "developer" else message.role
        if role not in ("system", "user", "assistant") or message.text is None:
            raise BadInput(
                f"litrag's gateway takes text of system, user and assistant, not a {message.role} message"
                " with other parts"
            )
        messages.append(Message(cast("Literal['system', 'user', 'assistant']", role), message.text))
    return tuple(messages)


def _responses(model: str, reply: ModelReply) -> list[lm15.Response]:
    """One response a reply; the first carries the usage of all, none that of a cached reply."""
    spent = (0, 0) if reply.cached else (reply.usage.prompt_tokens, reply.usage.completion_tokens)
    return [
        lm15.Response(
            id=None,
            model=model,
            message=lm15.Message.assistant([lm15.TextPart(text)]),
            finish_reason="length" if finish == "length" else "stop",
            usage=lm15.Usage(*(spent if i == 0 else (0, 0))),
        )
        for i, (text, finish) in enumerate(zip(reply.texts, reply.finish, strict=True))
    ]
