"""How works are named: BibTeX keys and author-year labels. Names are taken apart by bibtexparser, particles included."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from litrag.core.types import Paper

__all__ = [
    "KEY",
    "OTHERS",
    "Label",
    "NameParts",
    "ascii_of",
    "citation_keys",
    "labels",
    "letters",
    "name_parts",
    "spoken",
    "surname",
]

# a citation key within a regular expression: what LaTeX, HTML and Word take as it is, with no mark at its end
KEY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9:._/+-]*[A-Za-z0-9])?"

_DULL = frozenset(
    "a an the on of for in to and with from towards toward using via is are do does can how what when why".split()
)

OTHERS: Final = "others"  # authors that a bibliography does not name
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


@dataclass(frozen=True, slots=True)
class NameParts:
    """A name taken apart: "van den" is a particle, "Jr." a suffix. What cannot be taken apart is all `family`."""

    family: str
    given: str = ""
    particle: str = ""
    suffix: str = ""


def name_parts(author: str) -> NameParts:
    """The parts of a name, read with or without comma; one that ends with its only comma is an organisation's, and all of it is its family name."""
    from bibtexparser.middlewares.names import InvalidNameError, parse_single_name_into_parts

    whole = " ".join(author.split())
    if whole.endswith(",") and whole.count(",") == 1:
        return NameParts(whole[:-1].strip())
    name = _SUFFIX.sub("", whole)
    suffix = whole[len(name) :].strip(" ,")
    try:
        parts = parse_single_name_into_parts(name)
    except InvalidNameError:
        return NameParts(name, suffix=suffix)
    if not parts.last:
        return NameParts(" ".join(parts.von) or name, suffix=suffix)
    return NameParts(" ".join(parts.last), " ".join(parts.first), " ".join(parts.von), suffix or " ".join(parts.jr))


def surname(author: str) -> str:
    """The family name with its particle: "Bart van den Berg" -> "van den Berg"; a name that cannot be parsed stays whole."""
    parts = name_parts(author)
    return f"{parts.particle} {parts.family}".strip()


def spoken(author: str) -> str:
    """A name as it is read aloud: "García Márquez, Gabriel" -> "Gabriel García Márquez"; BibTeX's "others" are "et al."."""
    if author == OTHERS:
        return "et al."
    if "," not in author:
        return author
    parts = name_parts(author)
    return " ".join(part for part in (parts.given, parts.particle, parts.family, parts.suffix) if part)


def labels(papers: Mapping[str, Paper]) -> dict[str, Label]:
    """A label for each key; works that would share one get a, b, ... after the year, in the order given."""
    plain = {key: Label(_names(paper), str(paper.year or "n.d.")) for key, paper in papers.items()}
    shared = Counter(plain.values())
    seen: Counter[Label] = Counter()
    distinct: dict[str, Label] = {}
    for key, label in plain.items():
        seen[label] += 1
        distinct[key] = label if shared[label] == 1 else Label(label.names, label.year + letters(seen[label]))
    return distinct


def letters(n: int) -> str:
    """1 -> "a", 26 -> "z", 27 -> "aa"."""
    text = ""
    while n:
        n, rest = divmod(n - 1, 26)
        text = chr(97 + rest) + text
    return text


def citation_keys(papers: Sequence[Paper], taken: Collection[str] = ()) -> dict[str, str]:
    """Paper id -> a BibTeX key in ASCII: the user's own where there is one that every export takes, else surname, year and first telling
    word of the title. Unique among `papers` and `taken`, whatever the case of letters, in which BibTeX sees no difference."""
    own = {paper.id: paper.key if re.fullmatch(KEY, paper.key) else "" for paper in papers}
    plain = {paper.id: own[paper.id] or _key(paper) for paper in papers}
    used = {key.casefold() for key in taken}
    keys = dict.fromkeys(plain, "")
    for group in ([name for name in plain if own[name]], [name for name in plain if not own[name]]):
        shared = Counter(plain[paper_id].casefold() for paper_id in group)
        free = {key for key, number in shared.items() if number == 1} - used
        used |= free
        for paper_id in group:
            key = plain[paper_id]
            if key.casefold() not in free:
                named = (f"{key}-{letters(n)}" for n in count(1))
                key = next(name for name in named if name.casefold() not in used)
                used.add(key.casefold())
            keys[paper_id] = key
    return keys


def _names(paper: Paper) -> str:
    surnames = [surname(author) for author in paper.authors]
    if not surnames:
        words = paper.title.split()
        return "“" + " ".join(words[:4]) + ("…" if len(words) > 4 else "") + "”"
    if len(surnames) == 1:
        return surnames[0]
    if OTHERS in paper.authors:
        return f"{surnames[0]} et al."
    return f"{surnames[0]} and {surnames[1]}" if len(surnames) == 2 else f"{surnames[0]} et al."


def _key(paper: Paper) -> str:
    first = ascii_of(surname(paper.authors[0])) if paper.authors else "anon"
    words = [word for word in ascii_of(paper.title, split=True).split() if word not in _DULL]
    return f"{first or 'anon'}{paper.year or 'nd'}{words[0] if words else ''}"


def ascii_of(text: str, *, split: bool = False) -> str:
    """Its letters from a to z and digits, accents off; what stands between them is left out, or, with `split`, one blank."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("ł", "l")).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", " " if split else "", plain).strip()
