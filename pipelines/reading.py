"""Reading the user's abstract: a text file, standard input, or text; a title where the first line is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from litrag.core.errors import BadInput

__all__ = ["Abstract", "parse_abstract", "read_abstract"]

_LEAST_WORDS = 5
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
    if source == "-":
        data, name = stdin or b"", "stdin"
    else:
        path = Path(source)
        try:
            data, name = path.read_bytes(), path.stem
        except FileNotFoundError as error:
            raise BadInput(
                f"{source}: no such file; give the path of a text file that holds the abstract, or - for standard input"
            ) from error
        except IsADirectoryError as error:
            raise BadInput(f"{source} is a folder; give the path of a text file that holds the abstract") from error
        except OSError as error:
            raise BadInput(f"{source} cannot be read: {error.strerror}; check its permissions") from error
    for magic, kind in _BINARY.items():
        if data.startswith(magic):
            raise BadInput(f"{source} is {kind}, not text; copy the abstract into a .txt file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is not UTF-8 text (byte {error.start}); save the abstract as UTF-8") from error
    if "\0" in text:
        raise BadInput(f"{source} is a binary file, not text; copy the abstract into a .txt file")
    return parse_abstract(text, name=name, title=title)


def parse_abstract(text: str, *, name: str, title: str | None = None) -> Abstract:
    """Title and abstract of a text: a short first line without a full stop, followed by an empty line, is the title.

    Raises BadInput for an empty or nearly empty abstract."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    if title is None and len(blocks) > 1 and len(blocks[0].split()) <= 30 and not blocks[0].endswith((".", "!")):
        title, blocks = re.sub(r"^(#+|title:)\s*", "", blocks[0], flags=re.IGNORECASE), blocks[1:]
    body = re.sub(r"^abstract\s*[:.—-]?\s+", "", " ".join(blocks), flags=re.IGNORECASE)
    if len(body.split()) < _LEAST_WORDS:
        raise BadInput(f"{name}: the abstract is empty or has fewer than {_LEAST_WORDS} words; give the whole abstract")
    return Abstract(name, title or "", body)
