"""A plan as a Markdown file that people edit: "##" begins a section, "###" a paragraph, "-" a sentence with the works it cites and its most words.

A plan that names works is followed as it is: what it leaves out is not cited. One that names none is an outline, and each work joins the paragraph
that it is most like."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from litrag.core.errors import BadInput
from litrag.core.names import KEY, labels
from litrag.core.types import Paper, Plan, PlannedParagraph, PlannedSection, PlannedSentence
from litrag.pipelines.grouping import word_vectors
from litrag.pipelines.state import PAUSES
from litrag.retrievers.normal_forms import arxiv_id, doi

__all__ = ["KEYED", "PLAN_FILE", "assigned", "plan_markdown", "read_plan", "sized"]

PLAN_FILE: Final = PAUSES["plan"]
_PAPERS: Final = "# Papers"
_OFFERED: Final = ("- @", "* @", "+ @", ">")  # how the lines below it begin
_CITED: Final = re.compile(r"\[([^\]]*)\]")
_WORDS: Final = re.compile(r"\((?:at most |up to |<=? ?)?(\d{1,4}) words?\)\s*\.?$")
_ID: Final = re.compile(r"[\w.:/-]*\d[\w.:/-]*[.:/-][\w.:/-]*")  # what looks like an id: a digit, and marks between
_STRAY: Final = re.compile(rf"(?<![\w.])@(?=[A-Za-z])(?=[A-Za-z0-9:._/+-]*\d){KEY}")
KEYED: Final = re.compile(rf"(?<![\w.])@({KEY})")
_BULLET: Final = re.compile(r"^(?:[-*+]|\d+[.)])\s+")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_NEW: Final = "say what this work contributes"


def plan_markdown(plan: Plan, papers: Mapping[str, Paper], *, title: str, then: str) -> str:
    """The file: the plan, then all papers that it may cite; `then` is the command that goes on with it."""
    lines = [
        f"# Plan: {' '.join(title.split()) or 'related work'}",
        "",
        f"> Edit this file, then: {then}",
        '> "##" begins a section, "###" a paragraph, "-" a sentence: what it is for, the papers it cites, its most words.',
        "> A paper in no sentence is not cited; in a plan that names none, each paper joins the paragraph that it is most like.",
    ]
    for section in plan.sections:
        lines += ["", f"## {section.heading}".rstrip()] if section.heading or len(plan.sections) > 1 else []
        for paragraph in section.paragraphs:
            lines += ["", f"### {paragraph.topic}".rstrip(), ""]
            lines += [f"- {_sentence(sentence)}" for sentence in paragraph.sentences]
    named = labels(papers)
    lines += ["", _PAPERS, ""]
    lines += [f"- @{key}: {named[key].textual}. {' '.join(paper.title.split())}" for key, paper in papers.items()]
    return "\n".join(lines) + "\n"


def _sentence(sentence: PlannedSentence) -> str:
    cited = f" [{'; '.join('@' + key for key in sentence.keys)}]" if sentence.keys else ""
    return f"{' '.join(sentence.purpose.split())}{cited} ({sentence.words} words)"


@dataclass(slots=True)
class _Reading:
    """The file as far as it was read."""

    papers: Mapping[str, Paper] | None
    name: str
    sections: list[tuple[str, list[tuple[str, list[PlannedSentence]]]]] = field(default_factory=list)

    def take(self, number: int, line: str) -> None:
        if line.startswith("### "):
            self._section().append((line[4:].strip(), []))
        elif line.startswith("## "):
            self.sections.append((line[3:].strip(), []))
        elif line in ("##", "###"):
            (self.sections if line == "##" else self._section()).append(("", []))
        elif bullet := _BULLET.match(line):
            paragraphs = self._section()
            if not paragraphs:
                paragraphs.append(("", []))
            paragraphs[-1][1].append(self._sentence(number, line[bullet.end() :]))
        elif not line.startswith(("# ", ">")):
            raise BadInput(
                f'{self.name}, line {number}: "{line[:40]}" is no part of a plan; begin a section with "## ", a paragraph with "### ", a sentence with "- "'
            )

    def _section(self) -> list[tuple[str, list[PlannedSentence]]]:
        if not self.sections:
            self.sections.append(("", []))
        return self.sections[-1][1]

    def _sentence(self, number: int, text: str) -> PlannedSentence:
        keys = [self._key(number, name) for group in _CITED.findall(text) for name in self._names(group)]
        body = " ".join(_CITED.sub("", text).split())
        words = _WORDS.search(body)
        purpose = (body[: words.start()] if words else body).strip()
        known = next((m for m in KEYED.finditer(purpose) if m[1] in (self.papers or ())), None)
        if stray := known or _STRAY.search(purpose) or (doi(purpose) or None):
            name = stray if isinstance(stray, str) else stray[0]
            raise BadInput(f'{self.name}, line {number}: "{name}" stands outside brackets; cite it as [{name}]')
        most = max(1, int(words[1])) if words else PlannedSentence("").words
        return PlannedSentence(purpose, tuple(dict.fromkeys(keys)), most)

    def _names(self, group: str) -> Iterator[str]:
        """What stands between brackets, where it is meant as papers: a key, "@" and a key, a DOI, an arXiv id."""
        for part in re.split(r"[;,]\s*|\s+(?=@)", group):
            name = part.strip()
            known = self.papers is not None and name in self.papers
            if name.startswith("@") or known or doi(name) or arxiv_id(name) or "://" in name or _ID.fullmatch(name):
                yield name

    def _key(self, number: int, name: str) -> str:
        plain = name.lstrip("@")
        if self.papers is None or plain in self.papers:
            return plain
        for key, paper in self.papers.items():
            if (doi(name) and doi(name) == doi(paper.doi)) or (arxiv_id(name) and arxiv_id(name) == paper.arxiv_id):
                return key
            if plain in (paper.id, paper.key) or name in (paper.id, paper.url):
                return key
        near = difflib.get_close_matches(plain, self.papers, n=1)
        hint = (
            f"; did you mean @{near[0]}?"
            if near
            else "; name a paper of the review, or of its libraries, by its @key, DOI or arXiv id"
        )
        raise BadInput(f'{self.name}, line {number}: no paper "{name}"{hint}')


def read_plan(text: str, papers: Mapping[str, Paper] | None, *, name: str = PLAN_FILE) -> Plan:
    """The plan of a file over the papers that may be cited, by key; None, before they are known, takes any. Sections and paragraphs with nothing in them are left out; `name` is what errors call
    it. Raises BadInput: a line that is no part of a plan, an unknown paper, no paragraph."""
    reading, offered = _Reading(papers, name), False
    for number, line in enumerate(_COMMENT.sub(_blank, text).splitlines(), start=1):
        stripped = line.strip()
        if stripped.casefold() == _PAPERS.casefold():
            offered = True
        elif offered and stripped and not stripped.startswith(_OFFERED):
            raise BadInput(
                f'{name}, line {number}: "{stripped[:40]}" stands below "{_PAPERS}", where papers are listed and nothing is planned; move it above'
            )
        elif stripped and not offered:
            reading.take(number, stripped)
    sections = tuple(
        PlannedSection(heading, paragraphs)
        for heading, listed in reading.sections
        if (paragraphs := tuple(PlannedParagraph(topic, tuple(found)) for topic, found in listed if topic or found))
    )
    if not sections:
        raise BadInput(f'{name} plans no paragraph; begin one with "### topic", and its sentences with "- "')
    return Plan(tuple(replace(s, paragraphs=tuple(map(_own, s.paragraphs))) for s in sections))


def assigned(plan: Plan, papers: Mapping[str, Paper]) -> Plan:
    """The plan itself where it names papers; else with each paper in the paragraph it is most like, by words, no paragraph with more than twice its
    share. Paragraphs that get none are left out."""
    if any(paragraph.keys for paragraph in plan.paragraphs):
        return plan.mapped(lambda paragraph: paragraph)
    paragraphs, keys = plan.paragraphs, list(papers)
    told = [" ".join([p.topic, *(s.purpose for s in p.sentences)]) for p in paragraphs]
    vectors = word_vectors([*told, *(papers[key].text for key in keys)])
    likeness = vectors[len(told) :] @ vectors[: len(told)].T
    room = -(-2 * len(keys) // len(told))
    members: list[list[str]] = [[] for _ in told]
    for key, row in zip(keys, likeness, strict=True):
        order = sorted(range(len(told)), key=lambda place: (-float(row[place]), len(members[place]), place))
        next(members[place] for place in order if len(members[place]) < room).append(key)
    own = iter(members)
    return plan.mapped(
        lambda p: replace(p, sentences=(*p.sentences, *(PlannedSentence(_NEW, (key,)) for key in next(own))))
    )


def sized(text: str) -> bool:
    """Whether a plan file says how many words its sentences have."""
    return any(_WORDS.search(_CITED.sub("", line).strip()) for line in text.splitlines())


def _own(paragraph: PlannedParagraph) -> PlannedParagraph:
    """Each work in the sentence that names it first; another paragraph may come back to it."""
    seen: set[str] = set()
    sentences = []
    for sentence in paragraph.sentences:
        keys = tuple(key for key in sentence.keys if key not in seen)
        seen.update(keys)
        sentences.append(replace(sentence, keys=keys))
    return replace(paragraph, sentences=tuple(sentences))


def _blank(match: re.Match[str]) -> str:
    """As many lines as the comment had: errors name lines of the file."""
    return "\n" * match[0].count("\n")
