"""Replies that were recorded answer for everybody, offline; a request that nobody recorded is refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litrag.core.errors import ModelUnavailable
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Message
from litrag.models.gateway import Gateway
from litrag.models.recorded import recorded_key
from litrag.models.request import ModelReply, ModelRequest


def recorded(path: Path, *pairs: tuple[str, str]) -> Path:
    rows = []
    for prompt, text in pairs:
        request = ModelRequest("generate", "whoever/asked", "write", (Message("user", prompt),), max_tokens=9)
        rows.append({"key": recorded_key(request), "role": "write", "reply": ModelReply(texts=(text,)).to_json()})
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


async def test_a_recorded_prompt_is_answered_whoever_was_asked(tmp_path: Path) -> None:
    file = recorded(tmp_path / "replies.jsonl", ("Say hello.", "Hello."))
    gateway = Gateway(Settings(model=f"recorded/{file}"), cache=RequestCache(":memory:"))
    reply = await gateway.model("write").generate([Message("user", "Say hello.")], max_tokens=9)
    assert (reply.text, reply.cached) == ("Hello.", False)
    with pytest.raises(ModelUnavailable, match="no reply to this request of the role write: text, papers, settings"):
        await gateway.model("write").generate([Message("user", "Say goodbye.")], max_tokens=9)


async def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"key": "x"}\n', encoding="utf-8")
    for name, told in (("nosuch.jsonl", "No such file"), ("broken.jsonl", "line 1 is no recorded reply")):
        gateway = Gateway(Settings(model=f"recorded/{tmp_path / name}"), cache=RequestCache(":memory:"))
        with pytest.raises(ModelUnavailable, match=told):
            await gateway.model("write").generate([Message("user", "x")], max_tokens=9)
