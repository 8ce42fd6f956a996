"""A small writer of PDFs for tests: text at places, ligature glyphs, rotated pages, pictures, pages that take for ever."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Page", "bomb", "column", "encrypted", "paragraphs", "pdf", "picture", "two_columns"]

Line: TypeAlias = tuple[float, float, float, str]  # x, y, size, text

_LIGATURES = {"\ufb01": 1, "\ufb02": 2, "\ufb00": 3, "\ufb03": 4}  # fi fl ff ffi
_FONTS = {
    "F1": "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    "F2": "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Type /Encoding /BaseEncoding /WinAnsiEncoding"
    " /Differences [1 /fi /fl /ff /ffi] >> >>",
}


@dataclass(frozen=True)
class Page:
    """Lines at places, on a page of 612 x 792 points; `turned` degrees clockwise as /Rotate. `extra` is content of its own."""

    lines: Sequence[Line] = ()
    turned: int = 0
    extra: str = ""
    xobjects: str = ""


def column(text: str, *, x: float = 72, y: float = 720, size: float = 10, leading: float = 12) -> list[Line]:
    """The lines of a text, one below the other."""
    return [(x, y - i * leading, size, line) for i, line in enumerate(text.split("\n"))]


def two_columns(left: str, right: str, *, y: float = 720) -> Page:
    """Two columns, the left one first, as TeX writes them."""
    return Page([*column(left, y=y), *column(right, x=320, y=y)])


def paragraphs(n: int, *, word: str = "word", sentences: int = 12) -> str:
    """Lines of running text, one sentence a line; `n` and the sentence's number stand in each."""
    return "\n".join(f"Sentence {i} of part {n} speaks of {word} and of things near it." for i in range(sentences))


def picture() -> Page:
    """A page that holds a picture and no text, as a scanner makes it."""
    return Page(extra="q 612 0 0 792 0 0 cm /Im Do Q", xobjects="/Im 3 0 R")


def bomb() -> Page:
    """A page of forms that draw forms that draw forms: small, valid, and done in about a thousand years; where a reader stops at some thousand forms, in
    a minute or more, since each writes."""
    return Page([(72, 720, 10, "A page that never ends.")], extra="/B0 Do", xobjects="/B0 4 0 R")


def pdf(pages: Sequence[Page], *, info: Mapping[str, str] | None = None) -> bytes:
    """The file."""
    image = (
        "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>"
    )
    objects = ["", "", f"{image}\nstream\n0\nendstream"]  # catalogue, pages, picture
    depth = 16
    for level in range(depth):
        below = f"/B{level + 1}"
        inside = "BT /F1 10 Tf (x) Tj ET\n" * 200 + (f"{below} Do\n" * 10 if level < depth - 1 else "")
        kids = f"/XObject << {below} {len(objects) + 2} 0 R >>" if level < depth - 1 else ""
        fonts = f"/Font << /F1 {_FONTS['F1']} >>"
        head = f"<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << {fonts} {kids} >> /Length {len(inside)} >>"
        objects.append(f"{head}\nstream\n{inside}\nendstream")
    fonts = " ".join(f"/{name} {font}" for name, font in _FONTS.items())
    kids = []
    for page in pages:
        content = "\n".join([*map(_shown, page.lines), page.extra])
        objects.append(f"<< /Length {len(content.encode('latin-1'))} >>\nstream\n{content}\nendstream")
        resources = f"<< /Font << {fonts} >> /XObject << {page.xobjects} >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Rotate {page.turned} /Resources {resources}"
            f" /Contents {len(objects)} 0 R >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = "<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    objects.append("<< " + " ".join(f"/{name} ({_escaped(text)})" for name, text in (info or {}).items()) + " >>")
    return _file(objects)


def encrypted(data: bytes, *, user: str, owner: str = "owner") -> bytes:
    """The same file, encrypted (RC4, 128 bits); an empty `user` password lets everybody read."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(user, owner, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _shown(line: Line) -> str:
    """A line as operators, character by character in the font that has its glyph."""
    x, y, size, text = line
    parts = [f"BT /F1 {size:g} Tf 1 0 0 1 {x:g} {y:g} Tm"]
    run = ""
    for char in text:
        if char in _LIGATURES:
            parts += [f"({_escaped(run)}) Tj", f"/F2 {size:g} Tf (\\{_LIGATURES[char]:03o}) Tj /F1 {size:g} Tf"]
            run = ""
        else:
            run += char
    return " ".join([*parts, f"({_escaped(run)}) Tj ET"])


def _escaped(text: str) -> str:
    plain = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return plain.encode("cp1252").decode("latin-1")


def _file(objects: Sequence[str]) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(out)
    rows = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n{rows}".encode()
    out += f"trailer\n<< /Size {size} /Root 1 0 R /Info {len(objects)} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
