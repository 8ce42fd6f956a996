"""A model behind an OpenAI-compatible server on this machine, which answers by a function of the prompt."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeAlias

from fakes.loopback import listening

__all__ = ["Chat", "Reply", "chat_server"]

Reply: TypeAlias = str | dict[str, float] | None


@dataclass
class Chat:
    """`answer` gives the reply to a prompt, which is the last message: a text; a mapping from tokens to log-probabilities where the next token is
    asked for; None for a refusal. `seconds` pass before each. `join` makes one prompt of several messages. `count` counts a prompt's tokens, as a server does
    in its usage."""

    answer: Callable[[str], Reply]
    seconds: float = 0.0
    join: Callable[[list[str]], str] = lambda messages: messages[-1]
    count: Callable[[str], int] = lambda prompt: len(prompt.split())
    url: str = ""
    prompts: list[str] = field(default_factory=list)


@contextmanager
def chat_server(answer: Callable[[str], Reply], **more: Any) -> Iterator[Chat]:
    """A running server."""
    chat = Chat(answer, **more)

    class Handler(_Handler):
        fake = chat

    with listening(Handler) as port:
        chat.url = f"http://127.0.0.1:{port}/v1"
        yield chat


class _Handler(BaseHTTPRequestHandler):
    fake: Chat

    def log_message(self, *arguments: object) -> None:
        """Silent."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = self.fake.join([message["content"] for message in asked["messages"]])
        self.fake.prompts.append(prompt)
        time.sleep(self.fake.seconds)
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
        tokens = self.fake.count(prompt)
        usage = {"prompt_tokens": tokens, "completion_tokens": 2, "total_tokens": tokens + 2}
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
