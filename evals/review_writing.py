"""Writers and plans over given passages, beside the answers of experts (ScholarQA-Multi).

Every row cites as many works as the expert did, chosen from the pool of all answers by BM25 and cosine to the question, but for the rows "given", whose
works are the expert's. A text taken from its sources is supported by construction, so what counts is whether its sentences are the expert's: `relevance`
(how near ours come to the expert's) and `coverage` (how near the expert's are come to), by cosine; and the controls that need no skill: first sentences,
sentences by lot, one paragraph of the same length (further sentences of its works fill it up), the plan with its works shuffled."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from statistics import fmean
from typing import Any, Final, TypeAlias

from litrag.agents.entities import WordWeights
from litrag.core.names import citation_keys
from litrag.core.paths import cache_file
from litrag.core.protocols import Generates
from litrag.core.sentences import sentences
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache, digest
from litrag.core.sync import run
from litrag.core.types import (
    Claim,
    Document,
    Draft,
    DraftParagraph,
    DraftSection,
    Paper,
    Plan,
    PlannedParagraph,
    PlannedSection,
    PlannedSentence,
    Query,
)
from litrag.corpora import load, split_of
from litrag.corpora.types import Dataset, Topic
from litrag.evals.journal import Answer
from litrag.evals.tasks import EvalOptions
from litrag.evals.verify import claims as expert_claims
from litrag.evals.verify import least_of, pairs_of, told_claims
from litrag.models.embedding import GatewayEmbedder
from litrag.models.gateway import Gateway
from litrag.pipelines.extractive import ExtractivePlanner, ExtractiveWriter
from litrag.pipelines.planning import GeneratingPlanner
from litrag.pipelines.statements import by_cosine
from litrag.pipelines.support import Coverage, Likeness, plain
from litrag.pipelines.writing import GeneratingWriter
from litrag.rerankers.similarity import Similarity
from litrag.retrievers.bm25 import BM25, BM25Index

__all__ = ["WRITERS", "WritingBench"]

_POOL: Final = 50  # passages that BM25 hands to the cosine
_NUMBERS: Final = re.compile(r"\[\d+(?:\s*,\s*\d+)*\]")


@dataclass(frozen=True, slots=True)
class _Desk:
    """One question: its works by key, best first, the user's question as the work that is written, the expert's answer."""

    topic: Topic
    papers: Mapping[str, Paper]
    about: Paper
    expert: Sequence[tuple[str, tuple[str, ...]]]  # sentences and the keys that they cite, of the works at hand
    places: Mapping[str, int]  # key -> the paragraph of the expert that cites it first, in the expert's order


_Made: TypeAlias = tuple[Draft, Plan | None]
_Writes: TypeAlias = "Callable[[WritingBench, _Desk], Any]"


@dataclass
class WritingBench:
    """What the rows share."""

    whole: Dataset
    options: EvalOptions

    @cached_property
    def dataset(self) -> Dataset:
        """The topics whose answers cite."""
        return replace(self.whole, topics=tuple(t for t in self.whole.topics if expert_claims(t.answers[0])))

    @cached_property
    def documents(self) -> Mapping[str, Document]:
        """The pool by id."""
        return {document.id: document for document in self.whole.corpus()}

    @cached_property
    def gateway(self) -> Gateway:
        """The models in force."""
        return Gateway(self.options.settings or load_settings(), cache=RequestCache(cache_file()))

    @cached_property
    def embedder(self) -> GatewayEmbedder:
        """That of cosine and likeness."""
        return self.gateway.embedder()

    @cached_property
    def bm25(self) -> BM25:
        """BM25 over the pool."""
        rows = ((d.id, None, d.text) for d in self.documents.values())
        return BM25(BM25Index.build(rows), lambda ids: [self.documents[name] for name in ids])

    @cached_property
    def checkers(self) -> tuple[Coverage, Likeness]:
        """Two that share nothing: words and cosine."""
        return Coverage(WordWeights.of(d.text for d in self.documents.values())), Likeness(self.embedder)

    @cached_property
    def least(self) -> tuple[float, float]:
        """The score of each checker below which a citation is unsupported, by the training half."""
        body, _ = split_of(self.options.dataset or "scholarqa-multi")
        pairs = []
        for topic in load(f"{body}:train").topics:
            own = [self.documents[name] for name in topic.facts["passages"]]
            pairs += [(p.sentence, p.source) for p in pairs_of(topic, own, own) if p.grade == "true"]
        words, cosine = (least_of(run(checker.score(pairs))) for checker in self.checkers)
        return words, cosine

    async def desk(self, topic: Topic, *, given: bool) -> _Desk:
        """The works of a question: the expert's, or as many by retrieval."""
        own = [self.documents[name] for name in topic.facts["passages"]]
        chosen = own if given else await self._found(topic, len(own))
        papers = [_paper(document) for document in chosen]
        keys = citation_keys(papers)
        by_id = {paper.id: keys[paper.id] for paper in papers}
        expert = _expert(topic.answers[0], [document.id for document in own], by_id)
        return _Desk(
            topic,
            {keys[paper.id]: paper for paper in papers},
            Paper("about", "", topic.query.text),
            expert,
            _places(topic.answers[0], expert),
        )

    async def _found(self, topic: Topic, n: int) -> list[Document]:
        (first,) = await self.bm25.retrieve([Query(topic.query.text)], _POOL)
        ranked = await Similarity(self.embedder).rerank(first)
        return [hit.document for hit in ranked.hits[:n]]

    def row(self, name: str) -> _Writing:
        """A writer of WRITERS."""
        _ = self.least  # made here, on a thread of its own
        writes, given = WRITERS[name]
        return _Writing(self, writes, given)


@dataclass(frozen=True, slots=True)
class _Writing:
    bench: WritingBench
    writes: _Writes
    given: bool

    async def answer(self, topic: Topic) -> Answer:
        desk = await self.bench.desk(topic, given=self.given)
        draft, planned = await self.writes(self.bench, desk)
        metrics = {**await _compared(self.bench, desk, draft), **_cited(topic, desk, draft)}
        if planned is not None:
            metrics["adherence"] = _adherence(planned, draft)
            if self.given and len(set(desk.places.values())) > 1:
                metrics["grouping"] = _grouping(desk, draft)
        return Answer(metrics, {}, {"text": _text(draft)})


async def _compared(bench: WritingBench, desk: _Desk, draft: Draft) -> dict[str, float]:
    """The text beside the expert's, and what two checkers find unsupported in it."""
    ours = [plain(claim.sentence) for claim in draft.claims if claim.keys]
    theirs = [sentence for sentence, _ in desk.expert]
    near = await _cosines(bench.embedder, ours, theirs)
    words, cosine = bench.checkers
    pairs = [(claim.sentence, desk.papers[key].text) for claim in draft.claims for key in claim.keys]
    by_words, by_cosine = await words.score(pairs), await cosine.score(pairs)
    least_words, least_cosine = bench.least
    return {
        "relevance": fmean(max(row) for row in near) if ours else 0.0,
        "coverage": fmean(max(column) for column in zip(*near, strict=True)) if ours else 0.0,
        **_rouge(_NUMBERS.sub("", desk.topic.answers[0]), _text(draft)),
        "unsupported_words": fmean(float(score < least_words) for score in by_words) if pairs else 0.0,
        "unsupported_cosine": fmean(float(score < least_cosine) for score in by_cosine) if pairs else 0.0,
        "words": float(len(_text(draft).split())),
    }


def _cited(topic: Topic, desk: _Desk, draft: Draft) -> dict[str, float]:
    gold = {name for name, grade in topic.relevant.items() if grade > 0}
    cited = {desk.papers[key].id for key in draft.keys}
    hits = len(gold & cited)
    return {"citation_precision": hits / max(1, len(cited)), "citation_recall": hits / len(gold)}


def _adherence(planned: Plan, draft: Draft) -> float:
    """The share of planned (paragraph, work) pairs that the text keeps: the work is cited in the paragraph of its number."""
    written = [paragraph for section in draft.sections for paragraph in section.paragraphs]
    pairs = [(place, key) for place, paragraph in enumerate(planned.paragraphs) for key in paragraph.keys]
    kept = sum(
        place < len(written) and any(key in claim.keys for claim in written[place].claims) for place, key in pairs
    )
    return kept / len(pairs) if pairs else 0.0


def _grouping(desk: _Desk, draft: Draft) -> float:
    """The adjusted Rand index of our paragraphs and the expert's, over the works that both cite: 1 for the same groups, 0 for groups by chance."""
    from sklearn.metrics import adjusted_rand_score

    ours: dict[str, int] = {}
    paragraphs = (paragraph for section in draft.sections for paragraph in section.paragraphs)
    for place, paragraph in enumerate(paragraphs):
        for claim in paragraph.claims:
            for key in claim.keys:
                ours.setdefault(key, place)
    shared = [key for key in desk.places if key in ours]
    return float(adjusted_rand_score([desk.places[key] for key in shared], [ours[key] for key in shared]))


async def _cosines(embedder: GatewayEmbedder, ours: Sequence[str], theirs: Sequence[str]) -> list[list[float]]:
    if not ours or not theirs:
        return []
    vectors = await embedder.embed([*ours, *theirs], kind="document")
    return [[float(value) for value in row] for row in vectors[: len(ours)] @ vectors[len(ours) :].T]


def _rouge(expert: str, text: str) -> dict[str, float]:
    """ROUGE-1, -2, -L, F1, stemmed (Lin, 2004)."""
    from rouge_score.rouge_scorer import RougeScorer

    found = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score(expert, text)
    return {name: value.fmeasure for name, value in found.items()}


def _text(draft: Draft) -> str:
    return " ".join(plain(claim.sentence) for claim in draft.claims)


def _paper(document: Document) -> Paper:
    return Paper(document.id, document.title, document.text.removeprefix(document.title).strip())


def _expert(text: str, ids: Sequence[str], by_id: Mapping[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    """The expert's citing sentences with the keys of the works that are at hand."""
    return [
        (sentence, tuple(by_id[ids[place]] for place in cited if ids[place] in by_id))
        for sentence, cited in told_claims(text, len(ids))
    ]


def _places(text: str, expert: Sequence[tuple[str, tuple[str, ...]]]) -> dict[str, int]:
    """The paragraph that cites each work first: a block of the expert's text with its citing sentences."""
    order = dict(expert)
    found: dict[str, int] = {}
    for place, block in enumerate(re.split(r"\n+", text)):
        for sentence, _ in expert_claims(block):
            for key in order.get(sentence, ()):
                found.setdefault(key, place)
    return found


async def _learned(bench: WritingBench, desk: _Desk) -> Plan:
    texts = [paper.text for paper in desk.papers.values()]
    vectors = await bench.embedder.embed(texts, kind="document")
    return await asyncio.to_thread(ExtractivePlanner(size=2).plan, desk.papers, desk.about, vectors)


async def _extractive(bench: WritingBench, desk: _Desk) -> _Made:
    """Clusters, then sentences of the sources."""
    planned = await _learned(bench, desk)
    return (await _writer(bench, desk)).write(planned, desk.papers, desk.about), planned


async def _writer(bench: WritingBench, desk: _Desk) -> ExtractiveWriter:
    return ExtractiveWriter(await by_cosine(desk.papers, desk.about, bench.embedder))


async def _shuffled(bench: WritingBench, desk: _Desk) -> _Made:
    """The same plan with its works dealt out anew."""
    planned = await _learned(bench, desk)
    keys = list(planned.keys)
    random.Random(int(digest(desk.topic.id)[:8], 16)).shuffle(keys)  # noqa: S311
    new = dict(zip(planned.keys, keys, strict=True))
    dealt = planned.mapped(
        lambda p: replace(p, sentences=tuple(replace(s, keys=tuple(new[key] for key in s.keys)) for s in p.sentences))
    )
    return (await _writer(bench, desk)).write(dealt, desk.papers, desk.about), dealt


async def _unplanned(bench: WritingBench, desk: _Desk) -> _Made:
    """One paragraph in the order of retrieval, as long as the learned plan's text."""
    return await _as_planned(bench, desk, [tuple(map(_contributes, desk.papers))])


async def _oracle(bench: WritingBench, desk: _Desk) -> _Made:
    """The expert's own plan: the works by the paragraph that cites them first, in the expert's order."""
    paragraphs: dict[int, list[PlannedSentence]] = {}
    for key, place in desk.places.items():
        paragraphs.setdefault(place, []).append(_contributes(key))
    rest = tuple(_contributes(key) for key in desk.papers if key not in desk.places)
    return await _as_planned(bench, desk, [*map(tuple, paragraphs.values()), *([rest] if rest else [])])


def _contributes(key: str) -> PlannedSentence:
    return PlannedSentence("say what this work contributes", (key,))


async def _as_planned(bench: WritingBench, desk: _Desk, paragraphs: Sequence[tuple[PlannedSentence, ...]]) -> _Made:
    """The text of a plan without sentences that name groups; in their place further sentences of its works, the nearest to the question first, one a work in
    turn at the end of its paragraph, until it is as long as that of the learned plan."""
    planned = Plan((PlannedSection("", tuple(PlannedParagraph("", said) for said in paragraphs)),))
    draft = (await _writer(bench, desk)).write(planned, desk.papers, desk.about).kept(lambda claim: bool(claim.keys))
    learned, _ = await _extractive(bench, desk)
    short = len(_text(learned).split()) - len(_text(draft).split())
    told = await by_cosine(desk.papers, desk.about, bench.embedder)
    quoted = [quote for claim in draft.claims for quote in claim.quotes if quote]
    left = {key: [text for text in told[key] if not any(quote in text for quote in quoted)] for key in draft.keys}
    more: dict[str, list[Claim]] = {key: [] for key in left}
    for turn in range(max(map(len, left.values()), default=0)):
        for key, texts in left.items():
            size = len(texts[turn].split()) if turn < len(texts) else 0
            if 0 < size <= 2 * short:  # nearer to the length with it than without
                more[key].append(Claim(f"{texts[turn]} [@{key}]", (key,), writer="extractive"))
                short -= size
    filled = lambda p: DraftParagraph((*p.claims, *(each for key in more if key in _keys(p) for each in more[key])))  # noqa: E731
    return draft.mapped(filled), planned


def _keys(paragraph: DraftParagraph) -> set[str]:
    return {key for claim in paragraph.claims for key in claim.keys}


async def _quoted(bench: WritingBench, desk: _Desk, *, first: bool) -> _Made:
    """A sentence of each work, its first or one by lot."""
    lot = random.Random(int(digest([desk.topic.id, "quotes"])[:8], 16))  # noqa: S311
    said = []
    for key, paper in desk.papers.items():
        spans = [span.text for span in sentences(paper.abstract)] or [paper.title]
        said.append(Claim(f"{spans[0] if first else lot.choice(spans)} [@{key}]", (key,), writer="extractive"))
    return Draft((DraftSection("", (DraftParagraph(tuple(said)),)),)), None


async def _nearest(bench: WritingBench, desk: _Desk) -> _Made:
    """Of each work the sentence that is nearest to the question."""
    said = []
    (question,) = await bench.embedder.embed([desk.about.abstract], kind="query")
    for key, paper in desk.papers.items():
        spans = [span.text for span in sentences(paper.abstract)] or [paper.title]
        likeness = await bench.embedder.embed(spans, kind="document") @ question
        said.append(Claim(f"{spans[int(likeness.argmax())]} [@{key}]", (key,), writer="extractive"))
    return Draft((DraftSection("", (DraftParagraph(tuple(said)),)),)), None


async def _generated(bench: WritingBench, desk: _Desk) -> _Made:
    """Planned and written by the models of their roles."""
    planner = bench.gateway.resolve("plan", needs=Generates)
    reading = await GeneratingPlanner(planner).plan(desk.papers, desk.about)
    planned = reading.plan if reading else await _learned(bench, desk)
    writer = GeneratingWriter(bench.gateway.resolve("write", needs=Generates), await _writer(bench, desk))
    draft, _ = await writer.write(planned, desk.papers, desk.about)
    return draft, planned


# name -> what writes, and whether the works are the expert's
WRITERS: Final[Mapping[str, tuple[_Writes, bool]]] = {
    "extractive": (_extractive, False),
    "shuffled-plan": (_shuffled, False),
    "no-plan": (_unplanned, False),
    "nearest-sentence": (_nearest, False),
    "lead-sentence": (partial(_quoted, first=True), False),
    "random-quote": (partial(_quoted, first=False), False),
    "given": (_extractive, True),
    "given-shuffled-plan": (_shuffled, True),
    "given-no-plan": (_unplanned, True),
    "given-oracle-plan": (_oracle, True),
    "given-nearest-sentence": (_nearest, True),
    "given-lead-sentence": (partial(_quoted, first=True), True),
    "given-random-quote": (partial(_quoted, first=False), True),
    "generate": (_generated, False),
    "given-generate": (_generated, True),
}
