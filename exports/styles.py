"""How citations and references look: author and year (the default), numbers, or any CSL style.

A style turns a citation, and the list of references, into runs of text; the writers turn runs into their markup."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from litrag.core.names import Label, labels, spoken
from litrag.core.types import Claim, Paper
from litrag.exports.facts import container, kind, link
from litrag.exports.markers import Citation, rendered

__all__ = [
    "OWN_STYLES",
    "AuthorYear",
    "Numeric",
    "Reference",
    "Run",
    "Style",
    "absolute_style",
    "check_style",
    "plain_sentence",
    "style_of",
]


@dataclass(frozen=True, slots=True)
class Run:
    """Text of one look. `key` is the work that it cites, `url` where it leads; `marked` text warns the reader."""

    text: str
    key: str = ""
    url: str = ""
    italic: bool = False
    bold: bool = False
    capitals: bool = False
    raised: bool = False
    lowered: bool = False
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry of the reference list."""

    key: str
    runs: tuple[Run, ...]


class Style(Protocol):
    """Renders the citations of one review. `numeric`: works are cited by number."""

    @property
    def numeric(self) -> bool:
        """Whether a citation in brackets is a number."""

    @property
    def references(self) -> tuple[Reference, ...]:
        """The reference list, in its order."""

    def cite(self, citation: Citation) -> tuple[Run, ...]:
        """A citation; each run with a key belongs to that work alone."""

    def named(self, key: str) -> str:
        """A work as a word of a sentence."""


class AuthorYear:
    """litrag's own labels: Li et al. (2021a); (Li et al., 2021a; Kim, 2019). References are ordered by label."""

    numeric = False

    def __init__(self, papers: Mapping[str, Paper]) -> None:
        self._papers, self._labels = papers, labels(papers)

    @property
    def references(self) -> tuple[Reference, ...]:
        """By label; equal ones by key."""
        named = self._labels
        order = sorted(self._papers, key=lambda key: (named[key].names.casefold(), named[key].year, key))
        return tuple(Reference(key, _entry(self._papers[key], named[key].year)) for key in order)

    def cite(self, citation: Citation) -> tuple[Run, ...]:
        """Each label is one run."""
        if citation.textual:
            return tuple(Run(self.named(key), key) for key in citation.keys)
        return _bracketed("()", "; ", [Run(self._labels[key].parenthetical, key) for key in citation.keys])

    def named(self, key: str) -> str:
        """Li et al. (2021a)."""
        return self._labels[key].textual


class Numeric:
    """Numbers in order of first citation: [2, 3]; as a word of the sentence, Li et al. [2]."""

    numeric = True

    def __init__(self, papers: Mapping[str, Paper]) -> None:
        self._papers, self._labels = papers, labels(papers)
        self._numbers = {key: str(n) for n, key in enumerate(papers, start=1)}

    @property
    def references(self) -> tuple[Reference, ...]:
        """In order of their numbers."""
        return tuple(
            Reference(key, (Run(f"[{self._numbers[key]}] "), *_entry(paper, str(paper.year or "n.d."))))
            for key, paper in self._papers.items()
        )

    def cite(self, citation: Citation) -> tuple[Run, ...]:
        """Each number is one run."""
        if citation.textual:
            return tuple(Run(self.named(key), key) for key in citation.keys)
        keys = sorted(citation.keys, key=lambda key: int(self._numbers[key]))
        return _bracketed("[]", ", ", [Run(self._numbers[key], key) for key in keys])

    def named(self, key: str) -> str:
        """Li et al. [2]."""
        return f"{self._labels[key].names} [{self._numbers[key]}]"


OWN_STYLES: Final[Mapping[str, Callable[[Mapping[str, Paper]], Style]]] = {
    "author-year": AuthorYear,
    "numeric": Numeric,
}


def style_of(name: str, papers: Mapping[str, Paper]) -> Style:
    """The style of a name, or of the path of a .csl file, for `papers` in order of first citation. Raises BadInput,
    MissingExtra."""
    if name in OWN_STYLES:
        return OWN_STYLES[name](papers)
    from litrag.exports.csl_style import CslStyle

    return CslStyle(name, papers)


def absolute_style(name: str) -> str:
    """The whole path of a .csl file; the name of a style as it is."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.suffix == ".csl" else name


def check_style(name: str) -> None:
    """Cites two made-up works in the style. Raises BadInput where it is not there or broken, MissingExtra."""
    from litrag.exports.csl_style import CslStyle

    if name not in OWN_STYLES:
        works = {f"k{n}": Paper(f"k{n}", f"Work {n}", authors=("A. Author",), year=2000, venue="V") for n in (1, 2)}
        CslStyle(name, works).check()


def plain_sentence(claim: Claim, papers: Mapping[str, Paper], named: Mapping[str, Label]) -> str:
    """The sentence as text, citations as author-year labels whatever the style: evidence.json does not depend on it."""

    def cite(citation: Citation) -> str:
        if citation.textual:
            return named[citation.keys[0]].textual
        return f"({'; '.join(named[key].parenthetical for key in citation.keys)})"

    return rendered(claim.sentence, papers, cite)


def _entry(paper: Paper, year: str) -> tuple[Run, ...]:
    """Authors (year). Title. Venue. Where."""
    authors = ", ".join(map(spoken, paper.authors)) or "Unknown author"
    parts = [f"{authors} ({year}). {paper.title.rstrip('.')}.", f"{venue}." if (venue := _venue(paper)) else ""]
    text = " ".join(" ".join(part.split()) for part in parts if part)
    where = f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else paper.url
    where = " ".join((f"https://doi.org/{paper.doi}" if paper.doi else where).split())
    return (Run(f"{text} "), Run(where, url=link(paper))) if where else (Run(text),)


def _venue(paper: Paper) -> str:
    """Journal 12(3), 45–67; of what is no article its publisher, too."""
    what = kind(paper)
    facts = paper.imprint if what != "preprint" else {}
    issue = f"({facts['issue']})" if "issue" in facts else ""
    volume = f"{facts.get('volume', '')}{issue}"
    by = facts.get("publisher", "") if what in ("book", "thesis", "report", "chapter") else ""
    parts = (
        facts.get("genre", ""),
        f"{container(paper)} {volume}".strip(),
        facts.get("number", ""),
        facts.get("page", ""),
        by,
    )
    return ", ".join(part for part in parts if part)


def _bracketed(brackets: str, delimiter: str, shown: list[Run]) -> tuple[Run, ...]:
    runs = [Run(brackets[0])]
    for run in shown:
        runs += [run, Run(delimiter)]
    return (*runs[:-1], Run(brackets[1]))
