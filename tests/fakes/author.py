"""A backend that plays a competent author: it answers every prompt of the review by its form. No network, no weights.

It reads our prompts as a model would and replies in the asked form, so whole reviews run on it, with a latency if wanted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable

import numpy as np

from litrag.core.protocols import Usage
from litrag.models.request import ModelReply, ModelRequest

__all__ = ["Author", "reply_to"]


class Author:
    """`requests` keeps what was asked; `before` is called with each request when it arrives."""

    def __init__(self, *, latency: float = 0.0, before: Callable[[ModelRequest], None] | None = None) -> None:
        self.latency, self.before = latency, before
        self.requests: list[ModelRequest] = []

    async def send(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        if self.before is not None:
            self.before(request)
        if self.latency:
            await asyncio.sleep(self.latency)
        if request.operation == "embed":
            return ModelReply(Usage(len(request.texts)), vectors=np.stack([_vector(text) for text in request.texts]))
        if request.operation == "embed_tokens":
            return ModelReply(Usage(len(request.texts)), token_vectors=tuple(map(_words, request.texts)))
        prompt = request.messages[-1].content
        text = _ANSWERS[request.role](prompt)
        return ModelReply(Usage(len(prompt) // 5, len(text) // 5), texts=(text,), finish=("stop",))


def _vector(text: str) -> np.ndarray:
    vector = np.full(64, 0.01, dtype=np.float32)
    for word in re.findall(r"\w+", text.lower()):
        vector[int(hashlib.md5(word.encode()).hexdigest(), 16) % 64] += 1.0
    return vector


def _words(text: str) -> np.ndarray:
    """A unit vector a word, the same for the same word."""
    words = re.findall(r"\w+", text.lower())
    found = np.stack([_vector(word) for word in words]) if words else np.zeros((0, 64), dtype=np.float32)
    return (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def _queries(prompt: str) -> str:
    if "<abstract>" not in prompt:  # a rewriter that wants one line
        return "Which fungi feed the roots of forest trees?"
    abstract = prompt.split("<abstract>")[1].split("</abstract>")[0].strip()
    words = [word.strip(".,") for word in abstract.split()]
    quote = " ".join(abstract.split()[:6])
    return json.dumps({"queries": [{"query": " ".join(words[i : i + 3]), "quote": quote} for i in (3, 9, 15)]})


def _ranking(prompt: str) -> str:
    ids = re.findall(r"^\[(\d+)\]", prompt, re.MULTILINE)
    return (
        "<think>[1] looks best</think><ranking>"
        + " > ".join(f"[{i}]" for i in sorted(ids, key=lambda i: int(i) % 7))
        + "</ranking>"
    )


def _plan(prompt: str) -> str:
    ids = re.findall(r"^(p\d+):", prompt, re.MULTILINE)
    groups = [ids[i : i + 4] for i in range(0, len(ids), 4)]
    paragraphs = [
        {
            "topic": f"theme {n}",
            "sentences": [{"purpose": "describe", "papers": group[:2]}, {"purpose": "compare", "papers": group[2:]}],
        }
        for n, group in enumerate(groups)
    ]
    return json.dumps({"paragraphs": paragraphs})


def _paragraph(prompt: str) -> str:
    papers = dict(re.findall(r"^(p\d+): (.*)$", prompt.split("<papers>")[1], re.MULTILINE))
    sentences = [
        {
            "text": f"Work on {' '.join(text.split()[:3]).strip('.,')} is of use here [{short}].",
            "quotes": [{"paper": short, "quote": " ".join(text.split()[:5])}],
        }
        for short, text in papers.items()
    ]
    return "```json\n" + json.dumps({"sentences": sentences}) + "\n```"


def _verdict(prompt: str) -> str:
    source = prompt.split("<document>")[2].split("</document>")[0].strip()
    return json.dumps({"supported": "yes", "quote": " ".join(source.split()[:5])})


_ANSWERS: dict[str, Callable[[str], str]] = {
    "rewrite": _queries,
    "rerank": _ranking,
    "plan": _plan,
    "write": _paragraph,
    "verify": _verdict,
}

_FORMS = {
    "You plan the related-work": "plan",
    "You write one paragraph": "write",
    "Does the source support": "verify",
    "A sentence of a related-work section says": "write",
    "<ranking>": "rerank",
}


def reply_to(prompt: str) -> str:
    """The answer to a prompt whose role only its form tells."""
    role = next((role for form, role in _FORMS.items() if form in prompt), "rewrite")
    return _ANSWERS[role](prompt)
