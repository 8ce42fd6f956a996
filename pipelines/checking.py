"""The citations of any text checked against a bibliography: which keys it lacks, what the cited abstracts support. `litrag verify` is this.

Citations are known in four forms: pandoc's `[@key; @other]` and `@key`, LaTeX's `\\cite{key,other}` and its relatives, and litrag's own links
`[...](#ref-key)`. What stands below a heading "References" or in code is no text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from litrag.core import sync
from litrag.core.budget import Budget
from litrag.core.errors import BadInput
from litrag.core.ledger import Ledger
from litrag.core.paths import cache_file, web_file
from litrag.core.quotes import find_quote
from litrag.core.sentences import marks_within, sentences, splitting
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Claim, Paper, Verdict
from litrag.models.gateway import Gateway
from litrag.models.request import Backend
from litrag.pipelines.judging import verifier_of
from litrag.pipelines.methods import why_no_embedder
from litrag.pipelines.retractions import Retracted, check_existence
from litrag.pipelines.verifying import quotations

if TYPE_CHECKING:
    from litrag.retrievers.sources.web import Web

__all__ = ["Checked", "Citing", "check", "check_async", "cited_sentences"]

_CODE: Final = re.compile(r"```.*?```|~~~.*?~~~", re.DOTALL)
_COMMENT: Final = re.compile(r"(?<!\\)%[^\n]*$", re.MULTILINE)
_TEX: Final = re.compile(r"\\(?:documentclass|(?:sub)*section|[a-zA-Z]*cite[a-zA-Z]*)\b")
_LISTED: Final = (
    r"(?:references|bibliography|works cited|literature cited|literatur(?:verzeichnis)?|quellen(?:verzeichnis)?|bibliographie|références"
    r"|referencias|bibliograf[íi]a|riferimenti(?: bibliografici)?|referências|literatuur|referenser|литература|参考文献)"
)
_REFERENCES: Final = re.compile(
    rf"^(?:#+\s*{_LISTED}[ \t:.#]*(?:\{{[^}}\n]*\}}[ \t]*)?$|\\(?:sub)*section\*?\{{\s*{_LISTED}\s*\}}).*",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)  # the heading says no more: "References to earlier work" is text, "References {-}" pandoc's heading without a number
_HEADING: Final = re.compile(
    r"^(?:#.*|>.*)$|\\(?:sub)*section\*?\{[^}]*\}|\\(?:begin|end)\{[^}]*\}|\\(?:nocite|[a-z]*citestyle)\{[^}]*\}",
    re.MULTILINE,
)
_BLOCKS: Final = re.compile(
    r"\n\s*\n|\n(?=[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t])|\n(?=[ \t]*(?:\\item\b|\|))"
)  # paragraphs, items of lists, rows of tables
_ITEM: Final = re.compile(r"^\s*(?:(?:[-*+]|\d{1,3}[.)])\s+|\|\s*|\\item\b(?:\[[^\]]*\])?\s*)")
_LATEX: Final = re.compile(r"\\[a-zA-Z]*cite[a-zA-Z]*\*?(?:\[[^\]]*\])*\{([^}]*)\}")
_LINK: Final = re.compile(r"\[(?:\\.|[^\]\\])*\]\(#ref-([^)]+)\)")
_BRACKET: Final = re.compile(r"\[[^\]]*@[^\]]*\]")
_PANDOC: Final = re.compile(r"(?<![\w.])@\{?(\w(?:[\w:.#$%&+?<>~/-]*\w)?)")


@dataclass(frozen=True, slots=True)
class Citing:
    """A sentence without its markers, and the keys it cites."""

    sentence: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """Every sentence with a verdict a key ("missing" where the bibliography lacks it), entries that nothing cites, warnings, and what it took."""

    rows: tuple[tuple[str, Verdict, str], ...]
    uncited: tuple[str, ...]
    warnings: tuple[str, ...]
    spent: str
    fallen: Mapping[str, str] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """Pairs that are unsupported or missing, and works that are registered nowhere, retracted or doubted by their publisher (`fallen`: key -> what)."""
        return sum(label in ("unsupported", "missing") for _, _, label in self.rows) + len(self.fallen)

    def record(self) -> dict[str, Any]:
        """One JSON object."""
        pairs = [
            {
                "sentence": sentence,
                "key": verdict.key,
                "label": label,
                "method": verdict.method,
                "quote": verdict.quote.text if verdict.quote else "",
                "note": verdict.note,
            }
            for sentence, verdict, label in self.rows
        ]
        told = {"fallen": dict(self.fallen), "uncited": list(self.uncited), "warnings": list(self.warnings)}
        return {"pairs": pairs, "faults": self.faults, **told}


def cited_sentences(text: str) -> list[Citing]:
    """The sentences of a text that cite, in order."""
    tex = bool(_TEX.search(text)) and not re.search(r"\[@\w", text)
    text = _CODE.sub("", _COMMENT.sub("", text) if tex else text)
    body = _HEADING.sub("\n\n", _REFERENCES.sub("", text))
    found = []
    for block in _BLOCKS.split(body):
        marked: list[tuple[str, ...]] = []

        def noted(keys: Iterable[str], marked: list[tuple[str, ...]] = marked) -> str:
            marked.append(tuple(keys))
            return f" \x00{len(marked) - 1}\x00"

        flat = _LATEX.sub(
            lambda m: noted(key.strip() for key in m[1].split(",")), " ".join(_ITEM.sub("", block).split())
        )
        flat = _LINK.sub(lambda m: noted([m[1]]), flat)
        if not tex:
            flat = _BRACKET.sub(lambda m: noted(_PANDOC.findall(m[0])) if _PANDOC.search(m[0]) else m[0], flat)
            flat = _PANDOC.sub(lambda m: noted([m[1]]), flat)
        for span in sentences(marks_within(flat, r"\x00\d+\x00")):
            keys = [key for place in re.findall(r"\x00(\d+)\x00", span.text) for key in marked[int(place)] if key]
            if keys:
                plain = re.sub(r"\s*\x00\d+\x00", "", span.text).replace("()", "")
                shown = _told(plain) if tex else plain
                found.append(Citing(" ".join(shown.split()), tuple(dict.fromkeys(keys))))
    return found


def _told(text: str) -> str:
    """What LaTeX prints."""
    from pylatexenc.latex2text import LatexNodes2Text

    return str(LatexNodes2Text(math_mode="verbatim", strict_latex_spaces=True).latex_to_text(text))


async def _checked(
    text: str, papers: Mapping[str, Paper], gateway: Gateway, warnings: list[str]
) -> list[tuple[str, Verdict, str]]:
    citing = cited_sentences(text)
    if not citing:
        raise BadInput(r"the text cites nothing that is known: write [@key], \cite{key} or a link [...](#ref-key)")
    told = {key: paper for key, paper in papers.items() if paper.abstract}
    silent_ = sorted({key for item in citing for key in item.keys if key in papers and key not in told})
    if silent_:
        warnings.append(f"no abstract of {', '.join(silent_)}: unchecked; name a --library that has them")
    if gateway.settings.support == "auto" and (lack := why_no_embedder(gateway.settings)):
        warnings.append(f"{lack}; checked by numbers and the verify model alone")
    verifier = verifier_of(gateway, [paper.text for paper in told.values()])
    claims = tuple(_claim(item, told) for item in citing)
    checked, more = await verifier.verify(claims, told)
    warnings += more
    rows: list[tuple[str, Verdict, str]] = []
    for item, claim in zip(citing, checked, strict=True):
        by_key = {verdict.key: verdict for verdict in claim.verdicts}
        for key in item.keys:
            verdict = by_key.get(key, Verdict(key, "unchecked", "none"))
            rows.append((item.sentence, verdict, verdict.label if key in papers else "missing"))
    return rows


def _claim(item: Citing, told: Mapping[str, Paper]) -> Claim:
    """The sentence as a claim; what it quotes is what it rests on, where that stands in the work."""
    keys = tuple(key for key in item.keys if key in told)
    quoted = quotations(item.sentence)
    quotes = (next((part for part in quoted if find_quote(part, told[key].text)), "") for key in keys)
    return Claim(item.sentence, keys, tuple(quotes))


def check(text: str, papers: Mapping[str, Paper], settings: Settings, *, backend: Backend | None = None) -> Checked:
    """Checks a text; see `check_async`."""
    return sync.run(check_async(text, papers, settings, backend=backend))


async def check_async(
    text: str, papers: Mapping[str, Paper], settings: Settings, *, backend: Backend | None = None
) -> Checked:
    """Checks a text. Raises BadInput (nothing cited), ModelFault."""
    ledger, cache = Ledger(), RequestCache(cache_file())
    budget = Budget(settings.limits())
    gateway = Gateway(settings, cache=cache, ledger=ledger, budget=budget, backend=backend, lenient=True)
    warnings: list[str] = []
    try:
        with splitting(settings.sentences):
            rows = await _checked(text, papers, gateway, warnings)
        named = {verdict.key for _, verdict, _ in rows}
        online = await _looked_up({key: paper for key, paper in papers.items() if key in named}, settings, budget)
        totals = ledger.totals()
    finally:
        cache.close()
        ledger.close()
    tokens = totals.prompt_tokens + totals.completion_tokens
    spent = f"{totals.calls} model calls, {tokens:,} tokens, ${totals.usd:.4f}"
    told = tuple(dict.fromkeys((*warnings, *gateway.too_long.values(), *online.warnings)))
    return Checked(
        tuple(rows),
        _left(papers, rows),
        told,
        spent,
        dict.fromkeys(online.unknown, "registered nowhere") | dict(online.papers),
    )


@dataclass(frozen=True, slots=True)
class _Online:
    settings: Settings
    web: Web
    budget: Budget

    def say(self, stage: str, message: str) -> None:
        """A check is short."""


async def _looked_up(papers: Mapping[str, Paper], settings: Settings, budget: Budget) -> Retracted:
    """What Crossref and arXiv know of the cited works, where the settings let them be asked."""
    if not (settings.checks_retractions or "arxiv" in settings.sources):
        return Retracted()
    from litrag.retrievers.sources.web import Web

    web = Web(web_file(), contact=settings.contact, ttl=settings.source_days * 86400, replay=settings.replay)
    try:
        return await check_existence(_Online(settings, web, budget), papers)
    finally:
        web.close()


def _left(papers: Collection[str], rows: Sequence[tuple[str, Verdict, str]]) -> tuple[str, ...]:
    cited = {verdict.key for _, verdict, _ in rows}
    return tuple(key for key in papers if key not in cited)
