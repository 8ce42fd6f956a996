"""The writer without a language model: groups become paragraphs, contribution sentences become clauses about their authors.

Truthful by construction: every cited sentence is the paper's own words, in quotation marks from eight words on; the sentences
around them are checked by rule (a shared phrase stands in both texts, a missing one in none). Nothing is said twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from litrag.core.names import KEY, labels
from litrag.core.quotes import find_quote
from litrag.core.types import (
    Claim,
    Draft,
    DraftParagraph,
    DraftSection,
    Paper,
    Plan,
    PlannedParagraph,
    PlannedSection,
    PlannedSentence,
)
from litrag.exports.markers import rendered
from litrag.pipelines.contributions import Contribution, contribution, inflected, verbatim
from litrag.pipelines.grouping import group, group_count, word_vectors
from litrag.pipelines.phrases import central_phrases, distinctive_phrases, joined, mentions, near
from litrag.pipelines.statements import by_words, statement
from litrag.pipelines.wordings import (
    CONTRAST,
    LAST_OPENING,
    OPENINGS,
    PASSIVE,
    SHARED,
    SHARED_BY_SOME,
    SYNONYMS,
    TITLED,
)

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["ExtractivePlanner", "ExtractiveWriter", "fitted"]

_QUOTED_FROM: Final = 8  # consecutive source words that stand in quotation marks
_MOST_WORDS: Final = 30
_LONGEST: Final = 12  # words of a topic that an opening names
_MOST_QUOTED: Final = 40  # of a sentence that quotes a whole one

_KEY: Final = re.compile(f"@({KEY})")
_MOST_CONTRASTS: Final = 2  # sentences of a review on what a group does not mention


@dataclass(frozen=True, slots=True)
class ExtractivePlanner:
    """Plans by clustering: one paragraph a group, the groups from the widest to the one that ranks best."""

    size: int = 5
    seed: int = 0
    sections: int = 0

    def plan(self, papers: Mapping[str, Paper], about: Paper, vectors: Vectors | None = None) -> Plan:
        """`papers` best first; `vectors` (n, d), unit rows in their order, or None for word statistics. With `sections`, the paragraphs stand under
        headings, as many if there are enough of them."""
        keys = list(papers)
        rows = word_vectors([paper.text for paper in papers.values()]) if vectors is None else vectors
        groups = group(rows, max(group_count(len(keys), size=self.size), self.sections), seed=self.seed)
        parts = self._parts(groups, rows)
        planned = []
        used: set[str] = set()
        for part in sorted(parts, key=lambda part: -_mean([row for members in part for row in members])):
            inside = [papers[keys[row]] for members in part for row in members]
            others = [paper for paper in papers.values() if paper not in inside]
            heading = _capital(joined(distinctive_phrases(inside, others))) if self.sections else ""
            ordered = sorted(part, key=lambda members: -_mean(members))
            paragraphs = tuple(self._paragraph([keys[i] for i in members], papers, used) for members in ordered)
            planned.append(PlannedSection(heading, paragraphs))
        return Plan(tuple(planned))

    def _parts(self, groups: Sequence[tuple[int, ...]], rows: Vectors) -> list[list[tuple[int, ...]]]:
        """The groups by section: all in one, or those together whose centres are near."""
        if self.sections < 2 or len(groups) < 2:
            return [list(groups)]
        import numpy as np

        centres = np.stack([rows[list(members)].mean(axis=0) for members in groups])
        centres = centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
        parts = group(centres, min(self.sections, len(groups)), seed=self.seed, singles=True)
        return [[groups[i] for i in part] for part in parts]

    def _paragraph(self, keys: Sequence[str], papers: Mapping[str, Paper], used: set[str]) -> PlannedParagraph:
        """`used` are the phrases that name earlier paragraphs; none names two."""
        inside = [papers[key] for key in keys]
        others = [paper for key, paper in papers.items() if key not in keys]
        phrases = [phrase for phrase in distinctive_phrases(inside, others) if phrase not in used]
        used.update(phrases)
        topic = joined(phrases)
        by_year = sorted(keys, key=lambda key: (papers[key].year or 9999, keys.index(key)))
        sentences = [PlannedSentence("name what the group shares")]
        sentences += [PlannedSentence("say what this work contributes", (key,), _MOST_WORDS) for key in by_year]
        return PlannedParagraph(topic, (*sentences, PlannedSentence("relate the group to the present work")))


@dataclass(frozen=True, slots=True)
class ExtractiveWriter:
    """Writes a plan without a model. `sentence` is also what a generating writer falls back to, paper by paper. `told` holds by key the sentences of works
    that can be quoted, best first; None ranks them by words (`statements`)."""

    told: Mapping[str, Sequence[str]] | None = None

    def write(self, plan: Plan, papers: Mapping[str, Paper], about: Paper) -> Draft:
        """The draft: for each planned paragraph an opening, one sentence for each of its keys, a closing."""
        desk = _Desk(papers, about, self.told)
        paragraphs = plan.paragraphs
        last = paragraphs[-1] if len(paragraphs) > 1 and _nearest(paragraphs, list(papers)) is paragraphs[-1] else None
        written = iter([desk.paragraph(p, closest=p is last) for p in paragraphs])
        return Draft(
            tuple(
                DraftSection(section.heading, tuple(next(written) for _ in section.paragraphs))
                for section in plan.sections
            )
        )

    def sentence(self, key: str, paper: Paper) -> Claim:
        """One sentence about one paper."""
        return _Desk({key: paper}, Paper("about", ""), self.told).work(key)


def fitted(draft: Draft, papers: Mapping[str, Paper], words: int | None) -> Draft:
    """The draft without as many of its sentences that cite nothing, from the last paragraph on and in each from its end, as brings it to `words`."""
    named = labels(papers)
    told = lambda c: named[c.keys[0]].textual if c.textual else " ".join(named[key].parenthetical for key in c.keys)  # noqa: E731
    count = sum(len(rendered(claim.sentence, named, told).split()) for claim in draft.claims)
    gone: set[int] = set()
    for section in reversed(draft.sections):
        for paragraph in reversed(section.paragraphs):
            for claim in reversed(paragraph.claims):
                if words is not None and count > words and not claim.keys:
                    gone.add(id(claim))
                    count -= len(claim.sentence.split())
    return draft.kept(lambda claim: id(claim) not in gone)


class _Desk:
    """One review being written: what was said, which openers were used."""

    def __init__(
        self, papers: Mapping[str, Paper], about: Paper, told: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._papers, self._about = papers, about
        self._labels = labels(papers)
        self._told = told if told is not None else by_words(papers, about)
        self._openers: Counter[str] = Counter()
        self._said: set[str] = set()
        self._central = (
            central_phrases(about.text, [paper.text for paper in papers.values()]) if about.text.strip() else ()
        )
        self._related: Counter[str] = Counter()
        most = 0.6 * len(papers)
        self._common = {p for p in self._central if sum(mentions(paper.text, p) for paper in papers.values()) > most}
        self._last_verb = ""
        self._contrasts = 0
        self._plain = 0

    def paragraph(self, planned: PlannedParagraph, *, closest: bool) -> DraftParagraph:
        """A group that has no name of its own begins with its first work."""
        claims: list[Claim] = []
        if topics := _within(planned.topic, [self._papers[key].text for key in planned.keys]):
            openings = [text.format(topics=topics) for text in OPENINGS]
            chosen = [LAST_OPENING.format(topics=topics), *openings] if closest else self._turned(openings)
            claims.append(Claim(self._fresh(chosen), writer="extractive"))
        year = 0
        for key in planned.keys:
            claims.append(self.work(key, since=year))
            year = self._papers[key].year
        closing = self._closing([self._papers[key] for key in planned.keys], contrasts=not closest)
        if closing:
            claims.append(Claim(closing, writer="extractive"))
        return DraftParagraph(tuple(claims))

    def work(self, key: str, *, since: int = 0) -> Claim:
        """The sentence about one paper; `since` is the year of the one before, 0 for none."""
        paper = self._papers[key]
        found = contribution(paper, words=_MOST_WORDS - 2 - len(self._labels[key].textual.split()))
        if found is not None:
            verb = found.verb if found.rest.startswith("to ") else self._verb(found.verb)
            plain = _clause(key, found, verb, plural=len(paper.authors) != 1)
            passive = list(_passive(key, found, verb))
            self._plain = 0 if passive and self._plain >= 2 else self._plain + 1
            texts = [*(passive if self._plain == 0 else ()), plain, *_timed(plain, paper.year, since), *passive]
            return Claim(self._fresh(texts), (key,), (verbatim(found.rest),), writer="extractive")
        return self._stated(key, paper) or self._titled(key, paper)

    def _stated(self, key: str, paper: Paper) -> Claim | None:
        """The sentence of the abstract that says most of what the present work is about, as a quotation."""
        room = _MOST_QUOTED - 4 - len(self._labels[key].textual.split())
        quote = statement(self._told.get(key, ()), words=room)
        if not quote:
            return None
        verb = inflected("write", plural=len(paper.authors) != 1)
        state = inflected("state", plural=len(paper.authors) != 1)
        texts = [f"@{key} {verb}: “{quote}”.", f"As @{key} {state}, “{quote}”.", f"In the words of @{key}, “{quote}”."]
        return Claim(self._fresh(self._turned(texts)), (key,), (quote.removesuffix(" …"),), writer="extractive")

    def _titled(self, key: str, paper: Paper) -> Claim:
        """The work by its title alone."""
        words = paper.title.split()
        quote = " ".join(words[: _MOST_WORDS - 7 - len(self._labels[key].textual.split())])
        shown = _safe(quote) + (" …" if len(quote.split()) < len(words) else "")
        own = [f"@{key} {inflected(verb, plural=len(paper.authors) != 1)} “{shown}”." for verb in ("contribute", "add")]
        texts = [*self._turned([text.format(title=shown, key=key) for text in TITLED]), *own]
        found_quote = quote if find_quote(quote, paper.text) else ""  # a title may be a lone "…"
        return Claim(self._fresh(texts), (key,), (found_quote,), writer="extractive")

    def _verb(self, verb: str) -> str:
        """The verb, or one of the same meaning where the sentence before had it."""
        choices = SYNONYMS.get(verb, (verb,))
        chosen = next((choice for choice in choices if choice != self._last_verb), verb)
        self._last_verb = chosen
        return chosen

    def _closing(self, members: Sequence[Paper], *, contrasts: bool) -> str:
        """A sentence on the relation to the user's abstract: what all share, else what several do, else what is missing where every abstract is at hand;
        phrases not used before first."""
        if len(members) < 2:  # "these papers" are two or more
            return ""
        spoken = {p: sum(mentions(m.text, p) for m in members) for p in self._central}
        by_all = [p for p, times in spoken.items() if times == len(members)]
        shared = by_all or [p for p, times in spoken.items() if times >= 2]
        contrasts = contrasts and self._contrasts < _MOST_CONTRASTS and all(m.abstract.strip() for m in members)
        missing = [p for p in self._central if contrasts and " " in p and not any(near(m.text, p) for m in members)]
        fresh_shared = sorted(shared, key=lambda p: (self._related[p], p in self._common))[:2]
        fresh_missing = sorted(missing, key=lambda p: self._related[p])[:1]
        texts: list[str] = []
        if fresh_shared and all(self._related[p] < 2 for p in fresh_shared[:1]):
            pair = [p for p in fresh_shared if self._related[p] == self._related[fresh_shared[0]]]
            templates = SHARED if by_all else SHARED_BY_SOME
            texts += [text.format(shared=joined(pair)) for text in self._turned(templates)]
            chosen = pair
        else:
            chosen = fresh_missing
        if not texts and fresh_missing:
            texts += [text.format(missing=fresh_missing[0]) for text in self._turned(CONTRAST)]
            self._contrasts += 1
        texts = [text for text in texts if text not in self._said and self._openers[self._opener(text)] < 2]
        if not texts:
            return ""
        self._related.update(chosen)
        return self._fresh(texts)

    def _turned(self, templates: Sequence[str]) -> list[str]:
        """The templates, those whose opener was used least first."""
        return sorted(templates, key=lambda text: self._openers[self._opener(text)])

    def _fresh(self, texts: Sequence[str]) -> str:
        """The first text that was not said and whose opener was used less than twice; failing that, the least used one."""
        ranked = sorted(
            range(len(texts)),
            key=lambda i: (texts[i] in self._said, max(0, self._openers[self._opener(texts[i])] - 1), i),
        )
        chosen = texts[ranked[0]]
        self._said.add(chosen)
        self._openers[self._opener(chosen)] += 1
        return chosen

    def _opener(self, text: str) -> str:
        return _opener(
            _KEY.sub(lambda match: self._labels[match[1]].textual if match[1] in self._labels else match[1], text)
        )


def _nearest(paragraphs: Sequence[PlannedParagraph], keys: Sequence[str]) -> PlannedParagraph | None:
    """The paragraph whose works rank best on average and that has the best of all, if one has both; `keys` best first."""
    ranks = {key: rank for rank, key in enumerate(keys)}
    cited = [p for p in paragraphs if p.keys]
    best = min(cited, key=lambda p: _mean([ranks[key] for key in p.keys]), default=None)
    first = min((key for p in cited for key in p.keys), key=lambda key: ranks[key], default="")
    return best if best is not None and first in best.keys else None


def _within(topic: str, texts: Sequence[str]) -> str:
    """A planned topic as part of a sentence: without number and full stop, its first letter small where the papers write the word so; ""
    where it is too long for one, or a sentence itself."""
    plain = re.sub(r"^(?:\d+[.)]|\d+(?:\.\d+)+[.)]?|[-*+])\s+", "", " ".join(topic.split())).rstrip(" .:;,?!")
    if len(plain.split()) > _LONGEST or re.match(r"(?:we|this|these|our|i)\s", plain, re.IGNORECASE):
        return ""
    first = re.match(r"[A-Z][a-z]+\b(?!\s+[A-Z][a-z])", plain)  # no part of a longer name
    if first and any(re.search(rf"\b{first[0].lower()}\b", text) for text in texts):
        plain = plain[0].lower() + plain[1:]
    return _safe(plain)


def _mean(rows: Sequence[int]) -> float:
    return sum(rows) / len(rows)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _clause(key: str, found: Contribution, verb: str, *, plural: bool) -> str:
    """ "@key proposes “a parser …”.", "To parse …, @key proposes …", "The parser of @key uses …"."""
    subject = f"the {found.thing} of @{key}" if found.thing else f"@{key}"
    stated = found.rest.removeprefix("that ") if found.that else found.rest
    start = inflected(verb, plural=plural and not found.thing) + (" that " if found.that else " ")
    own = len(stated.split())
    long = max(own + 1 + found.that, own + len(found.lead.split())) >= _QUOTED_FROM
    if long:
        stated = f"“{stated}”"
    if found.lead:
        lead = f"{found.lead[0].upper()}{found.lead[1:]}"
        return f"{f'“{lead}”' if long else lead}, {subject} {start}{stated}."
    return f"{'T' + subject[1:] if found.thing else subject} {start}{stated}."


def _passive(key: str, found: Contribution, verb: str) -> Iterator[str]:
    """ "“A parser …” is proposed by @key.", where the object is one thing."""
    if (
        verb in PASSIVE
        and not found.lead
        and not found.thing
        and re.match(r"an? ", found.rest)
        and " and " not in found.rest[:60]
    ):
        stated = found.rest[0].upper() + found.rest[1:]
        if len(stated.split()) >= _QUOTED_FROM:
            yield f"“{stated}” is {PASSIVE[verb]} by @{key}."


def _timed(plain: str, year: int, since: int) -> Iterator[str]:
    """The sentence with a true word of time before it, for when the plain one begins as others do."""
    if plain.startswith("@") and year and since and year >= since:
        for text in (
            ("In the same year, {x}",) if year == since else ("Later, {x}", "Subsequently, {x}", "More recently, {x}")
        ):
            yield text.format(x=plain)


def _opener(text: str) -> str:
    return " ".join(text.split()[:3])


def _safe(text: str) -> str:
    """A title that can form neither a citation marker nor nested quotation marks."""
    return " ".join(
        text.translate(
            {
                ord(a): b
                for a, b in {"@": "＠", "“": "‘", "”": "’", '"': "’", "[": "(", "]": ")", "<": "‹", ">": "›"}.items()
            }
        ).split()
    )
