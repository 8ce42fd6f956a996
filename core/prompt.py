"""A prompt as a value: `$name` templates (JSON and LaTeX are full of braces), no clock, versioned by hash."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from string import Template

__all__ = ["Prompt", "neutralised"]

_BRACKETED_NUMBER = re.compile(r"\[(\s*\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\s*)\]")
_WORDS = re.compile(r"\w+")
_TAG = re.compile(
    r"<(/?)(papers?|abstract|document|query|instructions?|system|plan|ranking|title|paragraph|sentence)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template whose names must all be given: a missing or an unknown one raises ValueError."""

    text: str

    def fill(self, **values: str) -> str:
        """The text with every `$name` replaced."""
        names = set(Template(self.text).get_identifiers())
        if names != set(values):
            raise ValueError(f"prompt takes {sorted(names)}, was given {sorted(values)}")
        return Template(self.text).substitute(values)

    def echoed(self, reply: str, *, run: int = 5) -> bool:
        """Whether the reply repeats `run` consecutive words of the template: a weak model gives our own words back as its text."""
        ours, theirs = _WORDS.findall(self.text.casefold()), _WORDS.findall(reply.casefold())
        runs = {tuple(ours[i : i + run]) for i in range(len(ours) - run + 1)}
        return any(tuple(theirs[i : i + run]) in runs for i in range(len(theirs) - run + 1))

    @property
    def hash(self) -> str:
        """First 12 hex digits of the SHA-256 of the template; stands in every result it took part in."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def neutralised(text: str) -> str:
    """Text of others made safe to stand in a prompt as data: `[3]` becomes `(3)`, our own delimiters lose their bracket.

    What a document says can then neither be read as a citation nor end the block that holds it."""
    return _TAG.sub(r"‹\1\2", _BRACKETED_NUMBER.sub(r"(\1)", text))
