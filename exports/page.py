"""review.html: one file without script, font or image from elsewhere; its policy lets a browser load nothing but its
own style."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from html import escape
from string import Template
from typing import Final

from litrag.exports.document import Exported
from litrag.exports.facts import clean
from litrag.exports.languages import language_tag
from litrag.exports.styles import Run

__all__ = ["inline", "review_html", "text", "whole_page"]

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2126; --paper: #ffffff; --quiet: #57606a; --rule: #d0d7de; --link:
  #0b57a4; --warn: #a40e26;
  --mark: #fff0a8; --good: #116329; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --paper: #15181c; --quiet: #9da7b1; --rule: #3a424b;
  --link: #7db7f5;
  --warn: #ff8f9b; --mark: #5c4d00; --good: #6fd08c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 44rem; padding: 1.25rem 1rem 3rem; color: var(--ink); background: var(--paper);
  font: 1.0625rem/1.6 Georgia, 'Times New Roman', serif; overflow-wrap: anywhere; }
h1, h2 { font-family: system-ui, sans-serif; line-height: 1.25; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2rem; }
a { color: var(--link); } a:target, li:target { background: var(--mark); }
.note { margin: 0; padding: .6rem .9rem; border-left: 3px solid var(--rule); color: var(--quiet); font: .9rem/1.5
  system-ui, sans-serif; }
.note p { margin: .2rem 0; } .warn { color: var(--warn); font-weight: bold; } .caps { font-variant: small-caps; }
ol.references { list-style: none; padding: 0; } ol.references li { padding-left: 1.5rem; text-indent: -1.5rem; margin:
  .5rem 0; }
details { margin: .3rem 0; border: 1px solid var(--rule); border-radius: 6px; padding: .35rem .7rem; font: .95rem/1.5
  system-ui, sans-serif; }
summary { cursor: pointer; } blockquote { margin: .6rem 0; padding-left: .8rem; border-left: 3px solid var(--rule);
  white-space: pre-line; }
mark { background: var(--mark); color: inherit; } .quiet { color: var(--quiet); } .supported { color: var(--good); }
.unsupported { color: var(--warn); font-weight: bold; } .claim { margin: 1.2rem 0; } .claim > p { margin: 0 0 .3rem; }
@media print { :root { --ink: #000; --paper: #fff; --quiet: #444; --link: #000; --warn: #900; --mark: #eee; --good:
  #000; } body { max-width: none;
  padding: 0; font-size: 11pt; } a { text-decoration: none; } details, li { break-inside: avoid; } }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE: Final = Template(
    f"""<!DOCTYPE html>
<html lang="$lang">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>$title</title>
<style>{_STYLE}</style>
</head>
<body>
$body
</body>
</html>
"""
)


def review_html(document: Exported) -> str:
    """The page. Raises BadInput, MissingExtra (the style)."""
    notes = "".join(f"<p>{text(line)}</p>" for line in document.notes)
    body = [f"<h1>{text(document.title)}</h1>", f'<div class="note">{notes}</div>']
    for section in document.sections:
        if section.heading:
            body.append(f"<h2>{text(section.heading)}</h2>")
        body.extend(
            f"<p>{' '.join(inline(document.runs(s)) for s in paragraph)}</p>" for paragraph in section.paragraphs
        )
    body.append('<h2>References</h2>\n<ol class="references">')
    body.extend(f'<li id="ref-{entry.key}">{inline(entry.runs)}</li>' for entry in document.look.references)
    body.append("</ol>")
    body.append('<p class="quiet"><a href="evidence.html">The evidence behind each citation</a></p>')
    return whole_page(document.title, "\n".join(body), language_tag(document.language))


def whole_page(title: str, body: str, lang: str) -> str:
    """A page around a body that is HTML; `lang` is its language's tag, "" where it is not known."""
    return _PAGE.substitute(title=text(title), body=body, lang=text(lang))


def text(plain: str) -> str:
    """Text as HTML."""
    return escape(clean(plain))


def inline(runs: Iterable[Run], *, page: str = "", cited: Callable[[str, str], str] | None = None) -> str:
    """Runs as HTML; citations lead to the references of `page`, by default of this one, or are what `cited` makes of a key and a label in HTML."""
    cite = cited or (lambda key, shown: f'<a href="{page}#ref-{key}">{shown}</a>')
    return "".join(_run(run, cite) for run in runs)


def _run(run: Run, cite: Callable[[str, str], str]) -> str:
    shown = text(run.text)
    looks = (("i", run.italic), ("b", run.bold), ("sup", run.raised), ("sub", run.lowered))
    for tag in (tag for tag, wanted in looks if wanted):
        shown = f"<{tag}>{shown}</{tag}>"
    if run.capitals:
        shown = f'<span class="caps">{shown}</span>'
    if run.marked:
        shown = f'<span class="warn">{shown}</span>'
    if run.key:
        return cite(run.key, shown)
    return f'<a href="{escape(run.url)}" rel="noreferrer noopener">{shown}</a>' if run.url else shown
