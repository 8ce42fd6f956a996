"""A model behind an OpenAI-compatible server on this machine, which answers by a function of the prompt."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

__all__ = ["Chat", "Reply", "chat_server"]

Reply: TypeAlias = str | dict[str, float] | None


@dataclass
class Chat:
    """`answer` gives the reply to a prompt: a text; a mapping from tokens to log-probabilities where the next token is asked for; None for
    a refusal."""

    answer: Callable[[str], Reply]
    url: str = ""
    prompts: list[str] = field(default_factory=list)


@contextmanager
def chat_server(answer: Callable[[str], Reply]) -> Iterator[Chat]:
    """A running server."""
    chat = Chat(answer)

    class Handler(_Handler):
        fake = chat

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    fake: Chat

    def log_message(self, *arguments: object) -> None:
        """Silent."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = asked["messages"][-1]["content"]
        self.fake.prompts.append(prompt)
        reply = self.fake.answer(prompt)
        if reply is None:
            self._send(400, {"error": {"message": "no", "type": "invalid_request_error", "code": "400"}})
            return
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": reply},
            "finish_reason": "stop",
        }
        if isinstance(reply, dict):
            top = [{"token": token, "logprob": value, "bytes": None} for token, value in reply.items()]
            choice["message"] = {"role": "assistant", "content": top[0]["token"]}
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 2, "total_tokens": len(prompt.split()) + 2}
        choices = [{**choice, "index": index} for index in range(asked.get("n") or 1)]
        data = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
        self._send(200, data)

    def _send(self, status: int, data: dict[str, Any]) -> None:
        raw = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
