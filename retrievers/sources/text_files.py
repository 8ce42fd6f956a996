"""Markdown and plain text as records: front matter, headings, paragraphs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from litrag.core.errors import BadInput
from litrag.retrievers.sources.full_texts import Record, of_text
from litrag.retrievers.sources.page_text import paragraphs
from litrag.retrievers.sources.readers import Warn

__all__ = ["read_markdown", "read_text"]

_MOST: Final = 5_000_000  # characters
_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FACT: Final = re.compile(r"^([A-Za-z_-]+)\s*:\s*(\S.*?)\s*$", re.MULTILINE)
_HEADING: Final = re.compile(r"^ {0,3}#{1,6}[ \t]+(.{1,300}?)[ \t]*#*[ \t]*$", re.MULTILINE)
_UNDERLINED: Final = re.compile(r"^(\S.*)\n(?:={3,}|-{3,})[ \t]*$", re.MULTILINE)
_IMAGE: Final = re.compile(r"!\[([^\[\]\n]{0,500})\]\([^()\n]{0,2000}\)")
_LINK: Final = re.compile(r"\[([^\[\]\n]{1,500})\]\([^()\n]{0,2000}(?:\([^()\n]{0,200}\)[^()\n]{0,200})?\)")
_ITEM: Final = re.compile(r"^(?=[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+\S)", re.MULTILINE)
_FENCE: Final = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)


def read_text(path: Path, warn: Warn) -> Record:
    """The record of a text; its first line is its title. Raises BadInput without text, UnicodeDecodeError."""
    return of_text(_filled(path, paragraphs(_content(path, warn))), {})


def read_markdown(path: Path, warn: Warn) -> Record:
    """The record of a Markdown file: facts of its front matter, else its first heading is the title. Links and pictures leave their
    words; other marks stay. Raises BadInput without text, UnicodeDecodeError."""
    text = _content(path, warn).replace("\r\n", "\n")
    front = _FRONT.match(text)
    told = {name.casefold(): value.strip("\"'") for name, value in _FACT.findall(front[1] if front else "")}
    body = _uncommented(text[front.end() :] if front else text)
    body = _UNDERLINED.sub(r"# \1", _FENCE.sub("", body))
    body = _LINK.sub(r"\1", _IMAGE.sub(r"\1", body))
    heading = _HEADING.search(body)
    facts = {"title": heading[1] if heading else "", **told}
    facts["author"] = (told.get("author") or told.get("authors", "")).strip("[]")
    return of_text(_filled(path, paragraphs(_ITEM.sub("\n", _HEADING.sub(r"\n\1\n", body)))), facts)


def _uncommented(text: str) -> str:
    """The text without comments; what opens and never closes is none."""
    before, *parts = text.split("<!--")
    return before + "".join(part.partition("-->")[2] if "-->" in part else f"<!--{part}" for part in parts)


def _content(path: Path, warn: Warn) -> str:
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(_MOST)
        if file.read(1):
            warn(f"{path.name}: only its first {_MOST:,} characters are read")
    return text


def _filled(path: Path, text: str) -> str:
    if not text.strip():
        raise BadInput(f"{path} holds no text; leave it out")
    return text
