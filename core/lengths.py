"""How long a text is for a model, in tokens: exact where its tokenizer is at hand, else by a rule that errs on the long side."""

from __future__ import annotations

import re
from typing import Final, Protocol

__all__ = ["ROUGH", "RoughMeasure", "TextMeasure", "measure_of"]

_PIECE: Final = re.compile(r"\w{1,5}|[^\w\s]")


class TextMeasure(Protocol):
    """Counts and cuts by tokens. `context` is the most tokens that prompt and reply may have together, None where nobody knows."""

    @property
    def context(self) -> int | None:
        """The model's context, in tokens."""

    def count(self, text: str) -> int:
        """The text's tokens."""

    def cut(self, text: str, tokens: int) -> str:
        """The longest beginning of the text that has at most so many."""


class RoughMeasure:
    """Five letters or a mark are a token, which is more than tokenizers of language models make of English prose."""

    def __init__(self, context: int | None = None) -> None:
        self.context = context

    def count(self, text: str) -> int:
        """The text's tokens."""
        return sum(1 for _ in _PIECE.finditer(text))

    def cut(self, text: str, tokens: int) -> str:
        """The longest beginning of the text that has at most so many."""
        end = 0
        for number, piece in enumerate(_PIECE.finditer(text)):
            if number == tokens:
                return text[:end]
            end = piece.end()
        return text


ROUGH: Final = RoughMeasure()


def measure_of(model: object) -> TextMeasure:
    """What measures texts for a model: its own `measure` where it has one, else the rough rule."""
    own: TextMeasure = getattr(model, "measure", ROUGH)
    return own
