"""The value types that every folder shares: queries, documents, papers, rankings, evidence, plans, trajectories.

All are frozen and slotted. Names are the field's: a *run* ranks *documents* for a *query*, one search of an agent is a
*hop*. Bodies live here; the graph state of a pipeline holds only ids of them (`core.store`)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, TypeAlias

from litrag.core.display import Displayed
from litrag.core.errors import AmbiguousScore

__all__ = [
    "Claim",
    "Document",
    "Draft",
    "DraftParagraph",
    "DraftSection",
    "Evidence",
    "Filter",
    "Hit",
    "Hop",
    "Message",
    "Metadata",
    "Paper",
    "Passage",
    "Plan",
    "PlannedParagraph",
    "PlannedSection",
    "PlannedSentence",
    "Query",
    "Ranking",
    "Reason",
    "Score",
    "Span",
    "Trajectory",
    "Verdict",
    "normalised_title",
]

Metadata: TypeAlias = Mapping[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents may come back. Years are inclusive, 0 leaves an end open; an unknown year passes no bound. A venue passes where its name holds
    one of `venues` (case does not matter), a document where it comes from one of `sources`, files or sources; empty means any."""

    first_year: int = 0
    last_year: int = 0
    venues: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self != Filter()

    @property
    def parts(self) -> tuple[int | list[str], ...]:
        """Its fields as JSON takes them, the same for equal filters in every process."""
        return (self.first_year, self.last_year, sorted(self.venues), sorted(self.sources))

    def admits(self, *, year: int, venue: str, source: str) -> bool:
        """Whether a document with these facts may come back."""
        low = not self.first_year or year >= self.first_year
        high = not self.last_year or 0 < year <= self.last_year
        held = not self.venues or any(name.casefold() in venue.casefold() for name in self.venues)
        return low and high and held and (not self.sources or source in self.sources)


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. `before` is exclusive. `exclude` holds document ids; `only` filters by year, venue, source; `reason` is for people alone."""

    text: str
    kind: str = "original"
    history: tuple[str, ...] = ()
    context: str = ""
    before: date | None = None
    exclude: frozenset[str] = frozenset()
    parent: str | None = None
    only: Filter = Filter()
    reason: str = ""

    @property
    def restricted(self) -> bool:
        """Whether `before`, `exclude` or `only` keeps any document out."""
        return bool(self.before or self.exclude or self.only)


@dataclass(frozen=True, slots=True)
class Document:
    """A unit of retrieval; `text` is what is indexed and shown to models."""

    id: str
    title: str
    text: str
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters [start, end) of a document's text; `page` counts from 1 where the source has pages."""

    id: str
    document_id: str
    text: str
    start: int
    end: int
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """A scholarly record. `year` 0 is unknown; `published` the exact date where a source tells it, `key` that of a user's bibliography, `imprint`
    volume, pages, ... (`core.imprint`). Once merged, `provenance` says who gave a field, `aliases` which other ids the work has ("s2:…")."""

    id: str
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    year: int = 0
    venue: str = ""
    doi: str = ""
    arxiv_id: str = ""
    url: str = ""
    published: date | None = None
    provenance: Mapping[str, str] = field(default_factory=dict, compare=False)
    aliases: tuple[str, ...] = ()
    key: str = ""
    imprint: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def latest_date(self) -> date | None:
        """The last day on which the paper can have appeared: `published`, else 31 December of `year`, else None."""
        return self.published or (date(self.year, 12, 31) if self.year else None)

    @property
    def text(self) -> str:
        """Title and abstract as one text: the passage that is embedded, shown to models and quoted from."""
        return f"{self.title}\n{self.abstract}" if self.abstract else self.title

    def to_document(self) -> Document:
        """The paper as a retrieval document with its year and venue as metadata."""
        return Document(self.id, self.title, self.text, {"year": self.year, "venue": self.venue})

    def passage(self) -> Passage:
        """Title and abstract as the paper's one passage; its offsets are offsets into `text`."""
        return Passage(f"{self.id}#abstract", self.id, self.text, 0, len(self.text))


@dataclass(frozen=True, slots=True)
class Score:
    """One score of one document: who gave it, for which query text, at which rank (from 1)."""

    value: float
    source: str
    query: str
    rank: int


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of some text, with the text itself."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why `source` ranked a document as it did: an argument, and the words that it rests on, found in the text that `of` names."""

    source: str
    stance: Literal["for", "against"]
    text: str
    quote: Span
    of: Literal["document", "query"] = "document"


@dataclass(frozen=True, slots=True)
class Hit:
    """A document in a ranking with all scores it ever got, and the reasons; both are appended, never overwritten."""

    document: Document
    scores: tuple[Score, ...] = ()
    reasons: tuple[Reason, ...] = ()

    def score(self, source: str, *, query: str | None = None) -> Score:
        """The one score of `source` (for `query`, when given).

        Raises KeyError if there is none, AmbiguousScore if several queries left one."""
        found = [s for s in self.scores if s.source == source and query in (None, s.query)]
        if not found:
            raise KeyError(source)
        if len(found) > 1:
            raise AmbiguousScore(self.document.id, source, tuple(s.query for s in found))
        return found[0]

    def scored(self, *scores: Score) -> Hit:
        """A copy with `scores` appended."""
        return replace(self, scores=(*self.scores, *scores))

    def because(self, *reasons: Reason) -> Hit:
        """A copy with those of `reasons` appended that it lacks."""
        return replace(self, reasons=(*self.reasons, *(reason for reason in reasons if reason not in self.reasons)))


@dataclass(frozen=True, slots=True)
class Ranking(Displayed):
    """Hits of one query, best first. `placed` in [0, 1] is the share of its order, or of its comparisons, that a reranker's model decided
    and that was not filled in where a reply could not be read. Raises ValueError on a repeated document id."""

    query: Query
    hits: tuple[Hit, ...] = ()
    placed: float = field(default=1.0, compare=False)

    def __post_init__(self) -> None:
        if len({hit.document.id for hit in self.hits}) != len(self.hits):
            raise ValueError(f"ranking of {self.query.text[:60]!r} holds a document twice")

    @property
    def ids(self) -> tuple[str, ...]:
        """Document ids, best first."""
        return tuple(hit.document.id for hit in self.hits)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One citable fact: the key under which a paper is cited and the passage that supports it. `pages` says at which offsets of the passage which page
    begins, where more than the abstract was read."""

    key: str
    passage: Passage
    quote: Span
    query: str = ""
    scores: tuple[Score, ...] = ()
    reasons: tuple[Reason, ...] = ()
    pages: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sentence is supported by the work it cites. `score` is in [0, 1]; None where the method has none; `note` says what was found wrong."""

    key: str
    label: Literal["supported", "unsupported", "unchecked"]
    method: str
    score: float | None = None
    quote: Span | None = None
    note: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the review and the keys it cites, with one verdict a key once it was checked.
    `quotes` holds, beside each key, the words of the source the sentence rests on ("" where the writer named none)."""

    sentence: str
    keys: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    writer: str = ""


@dataclass(frozen=True, slots=True)
class PlannedSentence:
    """One sentence to write: what for, citing which keys, in how many words at the most."""

    purpose: str
    keys: tuple[str, ...] = ()
    words: int = 30


@dataclass(frozen=True, slots=True)
class PlannedParagraph:
    """Sentences about one group of papers; `topic` names what the group shares."""

    topic: str
    sentences: tuple[PlannedSentence, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in order of first citation."""
        return tuple(dict.fromkeys(key for sentence in self.sentences for key in sentence.keys))


@dataclass(frozen=True, slots=True)
class PlannedSection:
    """A headed (or, with an empty heading, unheaded) run of paragraphs."""

    heading: str
    paragraphs: tuple[PlannedParagraph, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan(Displayed):
    """What the review will say, in order (LitLLM, section 3: plan, then write)."""

    sections: tuple[PlannedSection, ...] = ()

    @property
    def paragraphs(self) -> tuple[PlannedParagraph, ...]:
        """All paragraphs in reading order."""
        return tuple(paragraph for section in self.sections for paragraph in section.paragraphs)

    def mapped(self, change: Callable[[PlannedParagraph], PlannedParagraph]) -> Plan:
        """The same sections with changed paragraphs; what cites nothing then is left out."""
        sections = (replace(s, paragraphs=tuple(p for p in map(change, s.paragraphs) if p.keys)) for s in self.sections)
        return Plan(tuple(section for section in sections if section.paragraphs))

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in order of first citation."""
        return tuple(dict.fromkeys(key for paragraph in self.paragraphs for key in paragraph.keys))


@dataclass(frozen=True, slots=True)
class DraftParagraph:
    """Written sentences in order. In a sentence a citation is Pandoc's: `@key` names the work as a word of the sentence,
    `[@key; @other]` cites in brackets; `exports` renders them."""

    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftSection:
    """A run of paragraphs under a heading, which may be empty."""

    heading: str
    paragraphs: tuple[DraftParagraph, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A written review."""

    sections: tuple[DraftSection, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All sentences in reading order."""
        return tuple(
            claim for section in self.sections for paragraph in section.paragraphs for claim in paragraph.claims
        )

    def mapped(self, change: Callable[[DraftParagraph], DraftParagraph]) -> Draft:
        """The same sections with changed paragraphs."""
        return Draft(tuple(replace(s, paragraphs=tuple(map(change, s.paragraphs))) for s in self.sections))

    def kept(self, keep: Callable[[Claim], bool]) -> Draft:
        """The same sections and paragraphs with those sentences alone that `keep` says yes to."""
        return self.mapped(lambda paragraph: DraftParagraph(tuple(filter(keep, paragraph.claims))))

    def with_claims(self, claims: tuple[Claim, ...]) -> Draft:
        """The same sections and paragraphs with other sentences, as many, in reading order."""
        left = iter(claims)
        return self.mapped(lambda paragraph: DraftParagraph(tuple(next(left) for _ in paragraph.claims)))

    @property
    def keys(self) -> tuple[str, ...]:
        """All cited keys in order of first citation."""
        return tuple(dict.fromkeys(key for claim in self.claims for key in claim.keys))


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of an agent: what it thought and did, and which documents were new."""

    action: str
    query: str = ""
    thought: str = ""
    new_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trajectory(Displayed):
    """The hops of one agent run and why it stopped."""

    hops: tuple[Hop, ...] = ()
    stop_reason: str = "done"


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


def normalised_title(title: str) -> str:
    """The title without case, accents, markup braces and punctuation: equal for two spellings of one title."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", title).casefold() if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", plain))
