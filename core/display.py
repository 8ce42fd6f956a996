"""How results show themselves in a notebook: small pieces of HTML without script, address or background of their own, so that a light and a dark page can
hold them. Text of others is escaped here and nowhere else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

__all__ = ["Displayed", "Html", "clean", "fold", "fragment", "items", "line", "table", "text"]

# Marks that turn the direction of what follows them, by which a title could reorder the text around it; and what XML
# refuses.
_LEFT_OUT: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff")
_STYLE: Final = (
    ".litrag{max-width:56rem;line-height:1.5;overflow-wrap:break-word}"
    ".litrag table{border-collapse:collapse;margin:.4rem 0}"
    ".litrag a{color:inherit;text-decoration:underline}.litrag th{white-space:nowrap}"
    ".litrag th,.litrag td{padding:.15rem .6rem;text-align:start;vertical-align:top;background:none;border-bottom:1px solid #8886}"
    ".litrag td.n,.litrag th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".litrag .quiet{opacity:.75;font-size:.92em}.litrag .warn{font-weight:bold}.litrag .caps{font-variant:small-caps}"
    ".litrag summary{cursor:pointer}.litrag blockquote{margin:.3rem 0 .3rem .3rem;padding-left:.7rem;border-left:3px solid #888a;white-space:pre-line}"
    ".litrag .p{margin:.7rem 0}.litrag .c,.litrag .c>summary{display:inline}.litrag .c>summary{list-style:none;border-bottom:1px dotted}"
    ".litrag .c:not([open])::details-content{display:none}.litrag .c>summary::-webkit-details-marker{display:none}"
    ".litrag .c[open]>summary{font-weight:bold}.litrag .c>div{margin:.3rem 0 .5rem;padding:.3rem .8rem;border:1px solid #888a;border-radius:6px}"
)


class Html(str):
    """Markup: `text` leaves it as it is."""

    __slots__ = ()


class Displayed:
    """A value that shows itself in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from litrag.core.shown import html_of

        return html_of(self)


def clean(text: str) -> str:
    """One line without control characters, lone surrogates, private characters and marks of direction; accents are
    composed."""
    kept = (c for c in re.sub(r"\s+", " ", text) if unicodedata.category(c) not in ("Cc", "Cs", "Co"))
    return unicodedata.normalize("NFC", "".join(c for c in kept if c not in _LEFT_OUT))


def text(value: object) -> Html:
    """A value as HTML; a fraction with four digits."""
    if isinstance(value, Html):
        return value
    return Html(escape(clean(f"{value:.4g}" if isinstance(value, float) else str(value))))


def fragment(*parts: str) -> str:
    """What a notebook shows: the parts, which are HTML, and the style that they share. Its dollars are no formulas."""
    return f'<div class="litrag tex2jax_ignore mathjax_ignore"><style>{_STYLE}</style>{"".join(parts)}</div>'


def line(*values: object, kind: str = "") -> Html:
    """A line of text; `kind` is "", "quiet" or "warn"."""
    shown = " ".join(text(value) for value in values)
    return Html(f'<div class="{kind}" dir="auto">{shown}</div>' if kind else f'<div dir="auto">{shown}</div>')


def fold(summary: object, *parts: str, opened: bool = False) -> Html:
    """Parts, which are HTML, that a click on the summary opens."""
    return Html(f'<details{" open" * opened}><summary dir="auto">{text(summary)}</summary>{"".join(parts)}</details>')


def items(values: Iterable[object]) -> Html:
    """A bulleted list."""
    listed = (f'<li dir="auto">{text(value)}</li>' for value in values)
    return Html(f"<ul>{''.join(listed)}</ul>")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """A table of len(head) columns; numbers stand right, as does the head of a column that begins with one."""
    body = [tuple(row) for row in rows]
    first = body[0] if body else ("",) * len(head)
    heads = "".join(f"<th{_side(cell)}>{text(name)}</th>" for name, cell in zip(head, first, strict=True))
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in body)
    return Html(f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>")


def _cell(value: object) -> str:
    side = _side(value)
    return f"<td{side}>{text(value)}</td>" if side else f'<td dir="auto">{text(value)}</td>'


def _side(value: object) -> str:
    return ' class="n"' if isinstance(value, int | float) else ""
