"""OpenTelemetry spans of runs, their steps, model calls, searches and rerankings (extra `telemetry`); nothing where the API is not installed or nobody set a
provider. Names and attributes are those of the GenAI semantic conventions where they have one, else `litrag.*`.

No span holds a text of the user's (input, query, title, prompt, reply, message of an error, name of a library) unless the run's setting `telemetry_text` says so."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

__all__ = ["Span", "Value", "span", "workflow"]

Value: TypeAlias = str | int | float | bool
_NONE: Final[Mapping[str, Value]] = {}
_TEXT: ContextVar[bool] = ContextVar("litrag_telemetry_text", default=False)


class Span:
    """A span under way, or none."""

    def __init__(self, inner: Any = None) -> None:
        self._inner = inner

    @property
    def recording(self) -> bool:
        """Whether anybody will read it: what costs something to find out is found out only then."""
        return self._inner is not None

    def add(self, facts: Mapping[str, Value]) -> None:
        """Attributes that are known only now; "" is left out."""
        if self._inner is not None:
            self._inner.set_attributes({name: value for name, value in facts.items() if value != ""})

    def add_text(self, **texts: str) -> None:
        """Attributes `litrag.<name>` that hold a text of the user's: only where the run allows them."""
        if _TEXT.get():
            self.add({f"litrag.{name}": text for name, text in texts.items()})

    def fail(self, error: BaseException) -> None:
        """Marks the span as failed: the error's class, and its message where texts are allowed, for it may quote what the user wrote."""
        if getattr(error, "exit_code", 1) == 0 or type(error).__name__ == "GraphInterrupt":
            self.add({"litrag.waiting": True})  # a pause for the user, which LangGraph raises
        elif self._inner is not None:
            from opentelemetry.trace import Status, StatusCode

            self.add({"error.type": type(error).__name__})
            self._inner.set_status(Status(StatusCode.ERROR, str(error) if _TEXT.get() else None))


def workflow(name: str, run_id: str, *, text: bool) -> AbstractContextManager[Span]:
    """The span of a whole run. Of its id the end alone: the rest is the name of the user's file."""
    facts = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": name}
    return span(f"invoke_workflow {name}", {**facts, "litrag.run": run_id.rpartition("-")[2]}, text=text)


@contextmanager
def span(
    name: str, facts: Mapping[str, Value] = _NONE, *, client: bool = False, text: bool | None = None
) -> Iterator[Span]:
    """A span around a piece of work, inside the one that is open. `client`: it waits for somebody else; `text`: whether it and what happens inside may hold
    texts of the user's, None: as around it. An error that leaves is marked on it."""
    tracer = _tracer()
    if tracer is None:
        yield Span()
        return
    from opentelemetry.trace import SpanKind

    allowed = _TEXT.set(_TEXT.get() if text is None else text)
    kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
    try:
        with tracer.start_as_current_span(
            name, kind=kind, record_exception=False, set_status_on_exception=False
        ) as inner:
            one = Span(inner if inner.is_recording() else None)
            one.add(facts)
            try:
                yield one
            except BaseException as error:
                one.fail(error)
                raise
    finally:
        _TEXT.reset(allowed)


@functools.cache
def _tracer() -> Any:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("litrag")
