"""review.md: readable text; a citation is a link to `#ref-<key>`, the anchors stand in the reference list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from litrag.core.names import Label, labels
from litrag.core.types import Claim, Draft, Paper
from litrag.exports.markers import Citation, rendered

__all__ = ["escaped", "plain_sentence", "reference", "review_markdown"]

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|$])")
_LINE_START: Final = re.compile(r"^(\s*)([#>+-]|\d+[.)])(?=\s|$)", re.MULTILINE)


def escaped(text: str) -> str:
    """Text that means nothing to Markdown but itself."""
    return _LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", text))


def review_markdown(draft: Draft, papers: Mapping[str, Paper], header: str) -> str:
    """The review: `header` as a quotation block, the text, the reference list in the order of the labels."""
    cited = {key: papers[key] for key in draft.keys}
    named = labels(cited)
    parts = ["# Related work", "\n".join(f"> {line}" for line in header.splitlines())]
    for section in draft.sections:
        if section.heading:
            parts.append(f"## {escaped(section.heading)}")
        parts.extend(
            " ".join(_sentence(claim, named) for claim in paragraph.claims) for paragraph in section.paragraphs
        )
    order = sorted(cited, key=lambda key: (named[key].names.casefold(), named[key].year, key))
    parts.append("## References")
    parts.extend(f'<a id="ref-{key}"></a>{escaped(reference(cited[key], named[key]))}' for key in order)
    return "\n\n".join(parts) + "\n"


def plain_sentence(claim: Claim, papers: Mapping[str, Paper], named: Mapping[str, Label]) -> str:
    """The sentence as text, citations as labels."""
    return rendered(claim.sentence, papers, lambda citation: _cited(citation, named, link=False))


def reference(paper: Paper, label: Label) -> str:
    """One entry of the reference list, one line."""
    authors = ", ".join(paper.authors) or "Unknown author"
    parts = [f"{authors} ({label.year}). {paper.title.rstrip('.')}.", f"{paper.venue}." if paper.venue else ""]
    if paper.doi:
        parts.append(f"https://doi.org/{paper.doi}")
    elif paper.arxiv_id:
        parts.append(f"arXiv:{paper.arxiv_id}")
    elif paper.url:
        parts.append(paper.url)
    return " ".join(" ".join(part.split()) for part in parts if part)


def _sentence(claim: Claim, named: Mapping[str, Label]) -> str:
    text = rendered(claim.sentence, named, lambda citation: _cited(citation, named, link=True), escaped)
    doubtful = [named[verdict.key].textual for verdict in claim.verdicts if verdict.label == "unsupported"]
    return text + (f" **(unsupported by {escaped(', '.join(doubtful))})**" if doubtful else "")


def _cited(citation: Citation, named: Mapping[str, Label], *, link: bool) -> str:
    shown = [named[key].textual if citation.textual else named[key].parenthetical for key in citation.keys]
    if link:
        shown = [f"[{escaped(text)}](#ref-{key})" for key, text in zip(citation.keys, shown, strict=True)]
    return shown[0] if citation.textual else f"({'; '.join(shown)})"
