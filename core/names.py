"""How works are named: BibTeX keys and author-year labels. Names are taken apart by bibtexparser, particles included."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from litrag.core.types import Paper

__all__ = ["Label", "citation_keys", "labels", "surname"]

_DULL = frozenset(
    "a an the on of for in to and with from towards toward using via is are do does can how what when why".split()
)

_SUFFIX = re.compile(r",? (?:[JS]r\.?|II|III|IV)$")


@dataclass(frozen=True, slots=True)
class Label:
    """An author-year label: textual "Li et al. (2021a)", parenthetical "Li et al., 2021a"."""

    names: str
    year: str

    @property
    def textual(self) -> str:
        """As the subject of a sentence."""
        return f"{self.names} ({self.year})"

    @property
    def parenthetical(self) -> str:
        """As it stands within brackets."""
        return f"{self.names}, {self.year}"


def surname(author: str) -> str:
    """The family name with its particle: "Bart van den Berg" -> "van den Berg"; a name that cannot be parsed stays whole."""
    from bibtexparser.middlewares.names import InvalidNameError, parse_single_name_into_parts

    name = _SUFFIX.sub("", " ".join(author.split()))
    try:
        parts = parse_single_name_into_parts(name)
    except InvalidNameError:
        return name
    return " ".join([*parts.von, *parts.last]) or name


def labels(papers: Mapping[str, Paper]) -> dict[str, Label]:
    """A label for each key; works that would share one get a, b, ... after the year, in the order given."""
    plain = {key: Label(_names(paper), str(paper.year or "n.d.")) for key, paper in papers.items()}
    shared = Counter(plain.values())
    seen: Counter[Label] = Counter()
    distinct: dict[str, Label] = {}
    for key, label in plain.items():
        seen[label] += 1
        distinct[key] = label if shared[label] == 1 else Label(label.names, label.year + _letters(seen[label]))
    return distinct


def citation_keys(papers: Sequence[Paper]) -> dict[str, str]:
    """Paper id -> a BibTeX key in ASCII (surname, year, first telling title word), unique among `papers`."""
    plain = {paper.id: _key(paper) for paper in papers}
    shared = Counter(plain.values())
    seen: Counter[str] = Counter()
    keys: dict[str, str] = {}
    for paper_id, key in plain.items():
        seen[key] += 1
        keys[paper_id] = key if shared[key] == 1 else f"{key}-{_letters(seen[key])}"
    return keys


def _names(paper: Paper) -> str:
    surnames = [surname(author) for author in paper.authors]
    if not surnames:
        words = paper.title.split()
        return "“" + " ".join(words[:4]) + ("…" if len(words) > 4 else "") + "”"
    if len(surnames) == 1:
        return surnames[0]
    return f"{surnames[0]} and {surnames[1]}" if len(surnames) == 2 else f"{surnames[0]} et al."


def _key(paper: Paper) -> str:
    first = _ascii(surname(paper.authors[0])) if paper.authors else "anon"
    words = [word for word in _ascii(paper.title, split=True).split() if word not in _DULL]
    return f"{first or 'anon'}{paper.year or 'nd'}{words[0] if words else ''}"


def _ascii(text: str, *, split: bool = False) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("ł", "l")).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", " " if split else "", plain).strip()


def _letters(n: int) -> str:
    text = ""
    while n:
        n, rest = divmod(n - 1, 26)
        text = chr(97 + rest) + text
    return text
