"""Sentences with their offsets: by pySBD (rule-based; knows "et al.", "e.g.", decimals; Sadvilkar and Neumann, NLP-OSS 2020), or, where a run
says so, by a model of SaT (Frohmann et al., arXiv 2406.16678; 85 languages, no need of punctuation).

Mends what pySBD does to abstracts: a list "(1) ... (2) ..." stays in its sentence, "ends.And begins" is two sentences, and what
pySBD drops or changes is kept as it stands in the text. Long texts are cut into blocks, since pySBD is quadratic."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.core.errors import BadInput, MissingExtra
from litrag.core.types import Span

if TYPE_CHECKING:
    import pysbd

__all__ = ["RULES", "marks_within", "sentences", "splitting"]

RULES: Final = "rules"

_BLOCK: Final = 4000  # characters; an abstract is shorter
_ENDED: Final = re.compile(r"[.!?…。！？][\"”’')\]]*$")
_GLUED: Final = re.compile(r"(?<=[\w)\]]{2}[.!?])(?=[A-Z][a-z]*[ ,])")
_ABBREVIATED: Final = re.compile(r"\b(?:al|cf|e\.g|i\.e|vs|resp|approx|Fig|Eq|Sec|Tab|Dr|Prof)\.$")
_SAT_FILES: Final = ("model_optimized.onnx", "config.json", "tokenizer.json")
_SAT_FETCH: Final = "`hf download segment-any-text/sat-3l-sm --local-dir {0}` and `hf download FacebookAI/xlm-roberta-base tokenizer.json --local-dir {0}` fetch them"
_BLANK_LINE: Final = re.compile(r"\n[ \t\r]*\n")
_SPLITTER: ContextVar[str] = ContextVar("litrag_sentences", default=RULES)


@contextmanager
def splitting(by: str) -> Iterator[None]:
    """Inside, `sentences` splits by `by`: "rules", or the folder of a SaT model (model_optimized.onnx, config.json, tokenizer.json; nothing is fetched).
    The model is loaded here, so that one that cannot be had is told first. Raises BadInput, MissingExtra."""
    if by != RULES:
        _sat(by)
    before = _SPLITTER.set(by)
    try:
        yield
    finally:
        _SPLITTER.reset(before)


def sentences(text: str) -> tuple[Span, ...]:
    """The sentences in order, white space at their ends left out: `text[s.start:s.end] == s.text`, and nothing else is left out."""
    return _split(text, _SPLITTER.get())


def marks_within(text: str, mark: str) -> str:
    """The text with marks (a pattern, of citations) that follow the full stop of a sentence, and before which the next one has not begun, moved before that
    full stop: they belong to what they follow. Those after "et al." and its like stay."""

    def moved(match: re.Match[str]) -> str:
        if _ABBREVIATED.search(text[: match.end(1)]):
            return match[0]
        return f" {match[2].strip()}{match[1]} "

    return re.sub(rf"(?<=\S)([.!?][\"”’')]*)\s*((?:{mark}\s*)+)(?=[A-Z\"“(]|$)", moved, text).strip()


@functools.lru_cache(maxsize=4096)
def _split(text: str, by: str) -> tuple[Span, ...]:
    rules = by == RULES
    ends = (end for start, block in _blocks(text) for end in _ends(block, start)) if rules else _sat_ends(text, by)
    found: list[Span] = []
    start = 0
    for end in sorted({0, *ends, len(text)})[1:]:
        piece = text[start:end]
        if rules and end < len(text) and not _complete(piece, text[end:]):
            continue
        if piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            last = start + len(piece.rstrip())
            found.append(Span(first, last, text[first:last]))
        start = end
    return tuple(found)


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = start + _BLOCK
        if end < len(text):
            cut = max(text.rfind(". ", start, end) + 1, text.rfind("\n", start, end))
            end = cut if cut > start else end
        yield start, text[start:end]
        start = end


def _ends(block: str, offset: int) -> Iterator[int]:
    """Where sentences may end, as offsets into the text."""
    at = 0
    for piece in _segmenter().segment(block):
        plain = piece.strip()
        start = block.find(plain, at) if plain else -1
        if start >= 0:
            at = start + len(plain)
            yield offset + at
    for match in _GLUED.finditer(block):
        yield offset + match.start()


def _complete(piece: str, rest: str) -> bool:
    """Whether a sentence ends between the two: at a line break, or after a full stop that closes no abbreviation or bracket."""
    if not rest.strip() or re.match(r"[ \t\r]*\n", rest):
        return True
    plain = piece.rstrip()
    following = rest.lstrip()
    if plain.count("(") > plain.count(")") or (following[0].islower() and rest[0] == " "):
        return False
    return bool(_ENDED.search(plain)) and not _ABBREVIATED.search(plain)


@functools.cache
def _segmenter() -> pysbd.Segmenter:
    import pysbd

    return pysbd.Segmenter(language="en", clean=False)


def _sat_ends(text: str, folder: str) -> Iterator[int]:
    """Where a SaT model ends sentences, and blank lines, which it reads as blanks."""
    if not text.strip():
        return
    model, least = _sat(folder)
    yield from (int(at) + 1 for at in (model.predict_proba(text, stride=64) > least).nonzero()[0])
    yield from (match.start() for match in _BLANK_LINE.finditer(text))


@functools.cache
def _sat(folder: str) -> tuple[Any, float]:
    """The model and the probability from which on a character ends a sentence: models named "...-sm" are trained on sentences, the others on lines."""
    lacking = [name for name in _SAT_FILES if not (Path(folder) / name).is_file()]
    if lacking:
        raise BadInput(f"sentences: {folder} lacks {', '.join(lacking)}; {_SAT_FETCH.format(folder)}")
    parallel = os.environ.get("TOKENIZERS_PARALLELISM")
    try:
        from wtpsplit_lite import SaT
    except ImportError as error:
        raise MissingExtra("wtpsplit_lite", "sentences") from error
    finally:  # which the import sets
        os.environ.pop("TOKENIZERS_PARALLELISM", None)
        if parallel is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = parallel
    try:
        model = SaT(folder, tokenizer_name_or_path=folder, ort_providers=["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime, tokenizers or JSON
        told = " ".join(str(error).split())
        raise BadInput(f"sentences: {folder} holds no SaT model ({told}); {_SAT_FETCH.format(folder)}") from error
    return model, 0.25 if "-sm" in Path(folder).name else 0.025
