"""review.md: readable text; a citation is a link to `#ref-<key>`, the anchors stand in the reference list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from litrag.exports.document import Exported
from litrag.exports.styles import Run

__all__ = ["escaped", "review_markdown"]

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|$])")
_LINE_START: Final = re.compile(r"^(\s*)([#>+-]|\d+[.)])(?=\s|$)", re.MULTILINE)


def escaped(text: str) -> str:
    """Text that means nothing to Markdown but itself."""
    return _LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", text))


def review_markdown(document: Exported) -> str:
    """The review: its header as a quotation block, the text, the reference list in the order of the style."""
    parts = [f"# {escaped(document.title)}", "\n".join(f"> {line}" for line in document.header.splitlines())]
    for section in document.sections:
        if section.heading:
            parts.append(f"## {escaped(section.heading)}")
        parts.extend(" ".join(_runs(document.runs(s)) for s in paragraph) for paragraph in section.paragraphs)
    parts.append("## References")
    parts.extend(f'<a id="ref-{entry.key}"></a>{_runs(entry.runs)}' for entry in document.look.references)
    return "\n\n".join(parts) + "\n"


def _runs(runs: Iterable[Run]) -> str:
    return "".join(_run(run) for run in runs)


def _run(run: Run) -> str:
    text = escaped(run.text)
    if run.italic and run.text.strip() == run.text:  # *a * is no emphasis
        text = f"*{text}*"
    if run.marked or (run.bold and run.text.strip() == run.text):
        text = f"**{text}**"
    if run.key:
        text = f"[{text}](#ref-{run.key})"
    if run.raised or run.lowered:  # Markdown has no signs for these
        tag = "sup" if run.raised else "sub"
        text = f"<{tag}>{text}</{tag}>"
    return text
