"""A model call of no work through the gateway's span: with a recording provider, with none, against the same loop without a span."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from common import machine, ratio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from litrag.core.protocols import Usage
from litrag.models.request import ModelRequest
from litrag.models.tracing import model_call, tell_usage

CALLS = 2000
REQUEST = ModelRequest(operation="generate", model="scripted/m", role="write")
USAGE = Usage(100, 20, 0.001, 1.0)


def traced() -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        with model_call(REQUEST) as span:
            tell_usage(span, USAGE)
    return (time.perf_counter() - start) / CALLS


def bare() -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        with nullcontext():
            _ = REQUEST.key
    return (time.perf_counter() - start) / CALLS


for name in ("no provider", "a provider that records"):
    found = ratio(traced, bare)
    print(
        f"span of a call, {name} / the hash of its request: {found.value:.2f} [{found.low:.2f}, {found.high:.2f}]  ({found.a * 1e6:.1f} us / {found.b * 1e6:.1f} us; {machine()})"
    )
    trace.set_tracer_provider(TracerProvider())
