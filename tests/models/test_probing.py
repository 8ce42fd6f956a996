"""What a server can do is asked of it; servers that fail, lie or hang are told as such."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from litrag.core.settings import Settings
from litrag.models.probing import probe, servers


class Server(ThreadingHTTPServer):
    """`habits`: "prose" ignores schemas, "silent" leaves log-probabilities out, "vllm" tells its context as vLLM does."""

    habits: frozenset[str] = frozenset()
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if "vllm" in self.server.habits and self.path == "/v1/models":
            self.reply({"object": "list", "data": [{"id": "m", "max_model_len": 32768}]})
        else:
            self.reply({"error": "not here"}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        habits = self.server.habits
        if "slow" in habits:
            time.sleep(60)
        if "html" in habits:
            self.reply("<html>Bad gateway</html>", 502)
            return
        if self.path.endswith("/embeddings"):
            self.reply({"error": {"message": "no embeddings here", "code": 501}}, 501)
            return
        text = '{"colour": "red"}' if "response_format" in body and "prose" not in habits else "The sea, the sea."
        top = [{"token": "yes", "logprob": -0.1, "bytes": None}]
        content = [{"token": "yes", "logprob": -0.1, "bytes": None, "top_logprobs": top}]
        logprobs = {"content": content} if body.get("logprobs") and "silent" not in habits else None
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": logprobs,
        }
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self.reply(
            {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        )

    def reply(self, data: Any, status: int = 200) -> None:
        raw = data.encode() if isinstance(data, str) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(data, str) else "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *arguments: object) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def base(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


@pytest.mark.parametrize(
    ("habits", "chat", "schema", "logprobs", "context"),
    [
        (set(), "yes", "yes", "yes", 0),
        ({"prose", "vllm"}, "yes", "no", "yes", 32768),
        ({"silent"}, "yes", "yes", "no: ", 0),
        ({"html"}, "no: ", "no: ", "no: ", 0),
    ],
)
async def test_each_power_is_asked_for(
    server: Server, habits: set[str], chat: str, schema: str, logprobs: str, context: int
) -> None:
    server.habits = frozenset(habits)
    (found,) = await probe([("openai/m", base(server))], seconds=120)
    assert (found.chat[:4].rstrip("\n"), found.context) == (chat[:4], context)
    assert found.schema.startswith(schema)
    assert found.logprobs.startswith(logprobs)
    assert found.embeddings.startswith("no: ")
    assert "\n" not in found.chat + found.logprobs


async def test_a_slow_server_costs_the_time_allowed_and_no_more(server: Server) -> None:
    server.habits = frozenset({"slow"})
    start = time.monotonic()
    (found,) = await probe([("openai/m", base(server))], seconds=0.5)
    assert time.monotonic() - start < 50, "each question would take a minute"
    assert "yes" not in (found.chat, found.schema, found.logprobs, found.embeddings)


async def test_a_dead_server_is_told_and_the_others_are_asked(server: Server) -> None:
    dead, alive = await probe([("openai/m", "http://127.0.0.1:9/v1"), ("openai/m", base(server))], seconds=120)
    assert dead.chat.startswith("no: openai/m at http://127.0.0.1:9/v1")
    assert dead.host == "127.0.0.1:9"
    assert alive.chat == "yes"


def test_whom_doctor_asks() -> None:
    """Servers of one's own; providers only when told to, for they charge; nothing local."""
    mixed = Settings(model="anthropic/x", write_model="openai/m", api_bases={"write": "http://own/v1"})
    assert servers(mixed, apis=False) == (("openai/m", "http://own/v1"),)
    assert set(servers(mixed, apis=True)) == {("openai/m", "http://own/v1"), ("anthropic/x", None)}
    assert servers(Settings(), apis=True) == ()
