"""Reading what the user gives: a text file or standard input; an abstract, with a title where the first line is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from litrag.core.errors import BadInput

__all__ = ["Abstract", "parse_abstract", "read_abstract", "read_text"]

_LEAST_WORDS = 5
_REFERENCES = (".bib", ".ris", ".jsonl", ".csv")
_BINARY = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a Word or zip file",
    b"\x1f\x8b": "a gzip file",
    b"\xd0\xcf\x11\xe0": "an old Word file",
}


@dataclass(frozen=True, slots=True)
class Abstract:
    """What the user wrote; `name` is the input's, `title` may be empty."""

    name: str
    title: str
    text: str


def read_abstract(source: str, *, title: str | None = None, stdin: bytes | None = None) -> Abstract:
    """The abstract in a file, or in `stdin` for "-". Raises BadInput, naming the file and the remedy."""
    if source.lower().endswith(_REFERENCES):
        raise BadInput(
            f"{source} is a file of references; name it with --library, and give the text that holds your abstract"
        )
    text = read_text(source, "the abstract", stdin=stdin)
    return parse_abstract(text, name="stdin" if source == "-" else Path(source).stem, title=title, source=source)


def read_text(source: str, holds: str, *, stdin: bytes | None = None) -> str:
    """The text of a file, or of `stdin` for "-". Raises BadInput, naming the file and the remedy; `holds` says what is in it."""
    if source == "-":
        data = stdin or b""
    else:
        try:
            data = Path(source).read_bytes()
        except FileNotFoundError as error:
            raise BadInput(
                f"{source}: no such file; give the path of a text file that holds {holds}, or - for standard input"
            ) from error
        except IsADirectoryError as error:
            raise BadInput(f"{source} is a folder; give the path of a text file that holds {holds}") from error
        except OSError as error:
            raise BadInput(f"{source} cannot be read: {error.strerror}; check its permissions") from error
    for magic, kind in _BINARY.items():
        if data.startswith(magic):
            raise BadInput(f"{source} is {kind}, not text; copy {holds} into a text file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is not UTF-8 text (byte {error.start}); save {holds} as UTF-8") from error
    if "\0" in text:
        raise BadInput(f"{source} is a binary file, not text; copy {holds} into a text file")
    return text


def parse_abstract(text: str, *, name: str, title: str | None = None, source: str = "") -> Abstract:
    """Title and abstract of a text: a short first line without a full stop, followed by an empty line, is the title.

    Raises BadInput, naming `source`, for an empty or nearly empty abstract."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    if title is None and len(blocks) > 1 and len(blocks[0].split()) <= 30 and not blocks[0].endswith((".", "!")):
        title, blocks = re.sub(r"^(#+|title:)\s*", "", blocks[0], flags=re.IGNORECASE), blocks[1:]
    body = re.sub(r"^abstract\s*[:.—-]?\s+", "", " ".join(blocks), flags=re.IGNORECASE)
    if len(body.split()) < _LEAST_WORDS:
        raise BadInput(
            f"{source or name}: the abstract is empty or has fewer than {_LEAST_WORDS} words; give the whole abstract"
        )
    return Abstract(name, title or "", body)
