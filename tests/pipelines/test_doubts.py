"""Whole reviews whose verify model says no: written once more, then marked, dropped or kept; and which of several drafts is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes.author import Author
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core.types import Claim, Draft, DraftParagraph, DraftSection, Paper
from litrag.exports.evidence import EvidenceFile
from litrag.models.request import ModelReply, ModelRequest
from litrag.pipelines.api import Review
from litrag.pipelines.drafting import best_draft, cohesion

MODELS: dict[str, Any] = {"model": "scripted/m", "embed_model": "scripted/e", "verify_model": "scripted/v"}
TEXT = f"{TITLE}\n\n{ABSTRACT}"
SOIL = re.compile(r"Work on .*\bsoil\b.* is of use", re.IGNORECASE)
WRITTEN_ANEW = "A sentence of a related-work section says"


class Doubtful(Author):
    """Its verify model says no to sentences about soil; written once more, they say `anew` instead."""

    def __init__(self, anew: str) -> None:
        super().__init__()
        self.anew = anew
        self.revised = 0

    async def send(self, request: ModelRequest) -> ModelReply:
        reply = await super().send(request)
        prompt = request.messages[-1].content if request.messages else ""
        if request.role == "verify" and SOIL.search(prompt.split("<document>")[1]):
            return ModelReply(reply.usage, texts=('{"supported": "no", "quote": ""}',), finish=("stop",))
        if request.role == "write" and prompt.startswith(WRITTEN_ANEW):
            self.revised += 1
            ids = dict(re.findall(r"^(p\d+): (.*)$", prompt, re.MULTILINE))
            short, text = next(iter(ids.items()))
            quote = " ".join(text.split()[:5])
            said = {"sentences": [{"text": f"{self.anew} [{short}].", "quotes": [{"paper": short, "quote": quote}]}]}
            return ModelReply(reply.usage, texts=(json.dumps(said),), finish=("stop",))
        return reply


def run(tmp_path: Path, author: Author, **options: Any) -> Review:
    library = write_library(tmp_path / "forest.jsonl")
    return review(TEXT, library=library, out=tmp_path / "out", backend=author, **{"papers": 12, **MODELS, **options})


def labels(result: Review) -> list[str]:
    file = EvidenceFile.model_validate_json((result.folder / "evidence.json").read_text())
    return [verdict.label for sentence in file.claims for verdict in sentence.verdicts]


def test_a_sentence_that_its_source_does_not_say_is_written_once_more(tmp_path: Path) -> None:
    author = Doubtful("This is told of the ground")
    result = run(tmp_path, author)
    assert author.revised > 0
    assert result.counters["revised"] == author.revised, "each once"
    assert result.counters["unsupported"] == 0
    assert "This is told of the ground" in result.text
    assert not SOIL.search(result.text)
    assert "unsupported" not in labels(result)


@pytest.mark.parametrize("choice", ["mark", "drop", "keep"])
def test_what_stays_unsupported_is_marked_dropped_or_kept(tmp_path: Path, choice: str) -> None:
    author = Doubtful("Work on soil is of use, they say")
    result = run(tmp_path, author, unsupported=choice)
    doubted = "Work on soil is of use, they say" in result.text
    assert author.revised > 0
    assert doubted == (choice != "drop")
    assert ("(unsupported" in result.text) == (choice == "mark"), result.text[-1500:]
    if choice == "drop":
        assert result.counters["dropped"] == author.revised
        assert result.counters["unsupported"] == 0
        bibliography = (result.folder / "references.bib").read_text()
        file = EvidenceFile.model_validate_json((result.folder / "evidence.json").read_text())
        assert {item.key for item in file.evidence} == set(re.findall(r"^@\w+\{([^,]+),", bibliography, re.MULTILINE))
        assert all(f"#ref-{item.key})" in result.text for item in file.evidence), "no work is listed that nothing cites"
    else:
        assert result.counters["unsupported"] == author.revised
        assert labels(result).count("unsupported") == author.revised


class By:
    """Support by a table of scores."""

    def __init__(self, **scores: float) -> None:
        self.scores = scores

    async def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        return [self.scores[sentence] for sentence, _ in pairs]


def draft(*paragraphs: tuple[tuple[str, str], ...]) -> Draft:
    made = (DraftParagraph(tuple(Claim(text, (key,)) for text, key in claims)) for claims in paragraphs)
    return Draft((DraftSection("", tuple(made)),))


async def test_the_better_supported_and_more_coherent_draft_is_kept() -> None:
    told = {
        "dog": Paper("dog", "Dogs", "Dogs smell mushrooms in the forest."),
        "hound": Paper("hound", "Hounds", "Hounds smell mushrooms in the dark forest."),
        "tide": Paper("tide", "Tides", "Tides move sand along a shore."),
    }
    good, bad = draft((("true", "dog"),)), draft((("false", "dog"),))
    by = By(true=0.9, false=0.2)
    assert await best_draft([bad, good], told, by) == 1
    assert await best_draft([good, bad], told, by) == 0
    assert await best_draft([good, good], told, by) == 0, "the first of equals"
    assert await best_draft([bad], told, by) == 0
    alike = draft((("true", "dog"), ("true", "hound")), (("true", "tide"),))
    mixed = draft((("true", "dog"), ("true", "tide")), (("true", "hound"),))
    assert cohesion(alike, told) > cohesion(mixed, told)
    assert cohesion(good, told) == 0.0
    assert await best_draft([mixed, alike], told, by) == 1


@pytest.mark.parametrize("words", [120, 400])
def test_words_that_were_asked_for_are_kept_to(tmp_path: Path, words: int) -> None:
    library = write_library(tmp_path / "forest.jsonl", papers()[:12])
    result = review(TEXT, library=library, out=tmp_path / "out", papers=6, words=words, embed_model=None)
    said = sum(
        len(sentence.sentence.split())
        for sentence in EvidenceFile.model_validate_json((result.folder / "evidence.json").read_text()).claims
    )
    assert said <= 1.25 * words


def test_fewer_words_than_were_asked_for_are_told_with_the_reason(tmp_path: Path) -> None:
    library = write_library(tmp_path / "forest.jsonl", papers()[:12])
    result = review(TEXT, library=library, out=tmp_path / "out", papers=6, words=3000, embed_model=None)
    (told,) = [warning for warning in result.warnings if "of about 3000 words" in warning]
    assert "6 papers gave no more; raise --papers, or give a model that writes (--model)" in told
    enough = review(TEXT, library=library, out=tmp_path / "enough", papers=6, words=120, embed_model=None)
    (told,) = [warning for warning in enough.warnings if "words" in warning]
    assert told == "4 of 6 papers: 120 words leave no room for more; raise --words"
