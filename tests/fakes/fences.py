"""The fenced blocks of a page with the marks that stand before them, and a shell small enough to run them in this process.

Marks are HTML comments on the lines before a fence: `run: exit 4` (the exit code that is meant), `run: weights` (the embedded models are needed),
`not run: reason`, `output` (the lines of a text block stand in what the block before it printed), `file: PATH` (they stand in that file), `write: PATH` (the block
is that file)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LANGUAGES", "Block", "Command", "blocks", "commands"]

LANGUAGES = ("sh", "python", "text", "json", "toml", "bibtex")
_FENCE = re.compile(r"((?:^<!-- [^\n]* -->\n)*)^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (run|not run|output|file|write)(?:: (.*?))? -->")


@dataclass(frozen=True)
class Block:
    """A fence: its language, its text, its line, its marks."""

    language: str
    text: str
    line: int
    marks: dict[str, str]

    @property
    def runs(self) -> bool:
        """Whether it is to be executed."""
        return self.language in ("sh", "python") and "not run" not in self.marks

    @property
    def code(self) -> int:
        """The exit code that is meant."""
        found = re.search(r"exit (\d+)", self.marks.get("run", ""))
        return int(found[1]) if found else 0

    @property
    def weights(self) -> bool:
        """Whether it needs the embedded models."""
        return "weights" in self.marks.get("run", "")


def blocks(page: Path) -> list[Block]:
    """All fences of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match[2], match[3], text.count("\n", 0, match.start(2)) + 1, dict(_MARK.findall(match[1])))
        for match in _FENCE.finditer(text)
    ]


@dataclass(frozen=True)
class Command:
    """A line of a shell block: variables before it, words, the file that is its input, the file that takes its output."""

    variables: dict[str, str]
    words: list[str]
    stdin: str = ""
    stdout: str = ""


def commands(text: str, stands_for: Callable[[str], str]) -> Iterator[Command]:
    """The lines of a block; `stands_for` gives what a placeholder stands for. Raises ValueError for what this shell does not know."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="<>|&;")
        lexer.whitespace_split = True
        words = [stands_for(word) for word in lexer]
        if not words:
            continue
        places = {sign: words[words.index(sign) + 1] for sign in "<>" if sign in words}
        plain = words[: min((words.index(sign) for sign in places), default=len(words))]
        if any(word in ("|", "&&", ";", "&") for word in plain):
            raise ValueError(f"this shell has no pipes and lists: {line}")
        first = next(i for i, word in enumerate(plain) if not re.match(r"[A-Z_]+=", word))
        variables = dict(word.split("=", 1) for word in plain[:first])
        yield Command(variables, plain[first:], places.get("<", ""), places.get(">", ""))
