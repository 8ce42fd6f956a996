"""A review as every writer takes it: sections of paragraphs of sentences, a sentence as text and citations, walked
here once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from litrag.core.types import Claim, Draft, Paper
from litrag.exports.evidence import EvidenceFile
from litrag.exports.markers import Citation, segments
from litrag.exports.styles import Run, Style, style_of

__all__ = ["READER", "Exported", "Section", "Sentence"]

READER: Final = "reader"  # the method of a verdict that a person gave


@dataclass(frozen=True, slots=True)
class Sentence:
    """Text and citations in order, the works that do not support it, and those that a reader marked."""

    parts: tuple[str | Citation, ...]
    doubtful: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()

    def doubts(self, named: Callable[[str], str]) -> str:
        """What is said of a doubtful sentence, "" of others; `named` names works by their keys."""
        said = (("unsupported by", self.doubtful), ("marked as wrong by a reader:", self.marked))
        told = "; ".join(f"{what} {', '.join(map(named, keys))}" for what, keys in said if keys)
        return f"({told})" if told else ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, which may be empty, and paragraphs."""

    heading: str
    paragraphs: tuple[tuple[Sentence, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What a writer writes. `papers` holds at least the cited works by key, `header` lines that say how the text
    came about; `style` is "author-year", "numeric", a name or the path of a CSL style; `marks`: sentences that their
    sources do not support are marked; `language` of the text, by its English name or its tag."""

    draft: Draft
    papers: Mapping[str, Paper]
    header: str = ""
    style: str = "author-year"
    evidence: EvidenceFile | None = None
    title: str = "Related work"
    marks: bool = True
    language: str = "English"

    @cached_property
    def cited(self) -> dict[str, Paper]:
        """The cited works in order of first citation."""
        return {key: self.papers[key] for key in self.draft.keys}

    @cached_property
    def look(self) -> Style:
        """The style for the cited works. Raises BadInput, MissingExtra."""
        return style_of(self.style, self.cited)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The draft, citations taken apart."""
        return tuple(
            Section(s.heading, tuple(tuple(self._sentence(claim) for claim in p.claims) for p in s.paragraphs))
            for s in self.draft.sections
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """The lines of the header without Markdown's signs for code."""
        return tuple(line.replace("`", "") for line in self.header.splitlines())

    def runs(self, sentence: Sentence) -> tuple[Run, ...]:
        """The sentence in the review's style, with the mark of a doubtful one at its end."""
        runs: list[Run] = []
        for part in sentence.parts:
            runs += self.look.cite(part) if isinstance(part, Citation) else (Run(part),)
        if doubts := sentence.doubts(self.look.named):
            runs += (Run(" "), Run(doubts, marked=True))
        return tuple(runs)

    def _sentence(self, claim: Claim) -> Sentence:
        wrong = [v for v in claim.verdicts if v.label == "unsupported"]
        marked = tuple(v.key for v in wrong if v.method == READER)
        doubtful = tuple(v.key for v in wrong if v.method != READER and self.marks)
        return Sentence(tuple(segments(claim.sentence, self.cited)), doubtful, marked)
