"""Measures of answers to questions, as the data sets' own scripts define them: HotPotQA's exact match, F1, supporting facts and joint (Yang et
al., EMNLP 2018), MuSiQue's answers and paragraphs (Trivedi et al., TACL 2022); whether the answer stands in a text; and a recall of supporting sentences by their tokens."""

from __future__ import annotations

import functools
import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, TypeAlias

__all__ = [
    "PRF",
    "Fact",
    "answer_f1",
    "exact_match",
    "joint",
    "matched",
    "normalised_answer",
    "support_token_recall",
    "supporting_facts",
]

Fact: TypeAlias = tuple[str, int]
_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_NO_MARKS: Final = str.maketrans("", "", string.punctuation)
_CLOSED: Final = ("yes", "no", "noanswer")


@dataclass(frozen=True, slots=True)
class PRF:
    """Exact match, F1, precision and recall, each in [0, 1]."""

    em: float = 0.0
    f1: float = 0.0
    precision: float = 0.0
    recall: float = 0.0


def normalised_answer(text: str) -> str:
    """Lower case, without punctuation and articles, single blanks."""
    plain = text.lower().translate(_NO_MARKS)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact_match(answer: str, gold: str) -> float:
    """1 where both are the same when normalised."""
    return float(normalised_answer(answer) == normalised_answer(gold))


def answer_f1(answer: str, gold: str, *, closed: bool = True) -> PRF:
    """F1 of tokens. Where the set has `closed` questions (HotPotQA, 2WikiMultiHopQA) yes, no and noanswer are right or wrong, nothing between; MuSiQue's
    script knows no such words."""
    one, other = normalised_answer(answer), normalised_answer(gold)
    em = float(one == other)
    if closed and one != other and (one in _CLOSED or other in _CLOSED):
        return PRF()
    found, wanted = one.split(), other.split()
    common = sum((Counter(found) & Counter(wanted)).values())
    if not common:
        return PRF(em)
    precision, recall = common / len(found), common / len(wanted)
    return PRF(em, 2 * precision * recall / (precision + recall), precision, recall)


def supporting_facts(found: Collection[Fact], gold: Collection[Fact]) -> PRF:
    """Of (title, sentence index) pairs."""
    right = len(set(found) & set(gold))
    precision = right / len(set(found)) if found else 0.0
    recall = right / len(set(gold)) if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return PRF(float(set(found) == set(gold)), f1, precision, recall)


def joint(answer: PRF, facts: PRF) -> PRF:
    """Products of precisions and of recalls, their F1, and both exactly right."""
    precision, recall = answer.precision * facts.precision, answer.recall * facts.recall
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return PRF(answer.em * facts.em, f1, precision, recall)


def matched(answer: str, golds: Iterable[str]) -> float:
    """1 where some gold answer stands in the answer, both normalised."""
    plain = f" {normalised_answer(answer)} "
    return float(any(f" {wanted} " in plain for gold in golds if (wanted := normalised_answer(gold))))


def support_token_recall(sentences: Sequence[str], read: Sequence[str]) -> float:
    """The mean over gold sentences of the best token F1 that a sentence read has with it. FrugalRAG's code calls this Support-F1; more sentences
    never lower it, so it is a recall."""
    if not sentences:
        return 1.0
    bags = [_bag(text) for text in read]
    return fmean(max((_f1(_bag(text), bag) for bag in bags), default=0.0) for text in sentences)


@functools.lru_cache(maxsize=65_536)
def _bag(text: str) -> Counter[str]:
    return Counter(normalised_answer(text).split())


def _f1(one: Counter[str], other: Counter[str]) -> float:
    common = sum(min(count, other[word]) for word, count in one.items() if word in other)
    return 2 * common / (one.total() + other.total()) if common else 0.0
