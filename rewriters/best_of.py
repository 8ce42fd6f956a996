"""Best of K at inference (AdaRewriter, arXiv 2506.01381): several rewrites are sampled, and the one that a small reward model likes best is
taken. It needs no log-probabilities of the writer and no training of it, so it serves models behind an API.

The reward model is linear over features of a rewrite that can be read off its text; `litrag train adaqr` fits it to the rewards of its
candidates, by pairs (scorer.json in the run folder)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Final, Self

from litrag.core.errors import BadInput
from litrag.core.lengths import measure_of
from litrag.core.protocols import Generates
from litrag.core.types import Message, Query
from litrag.rewriters.conversational import CONVERSATION, STOP, asked, parse_rewrite

__all__ = ["FEATURES", "BestOf", "RewriteScorer", "features", "sampled"]

FEATURES: Final = ("kept", "grounded", "added", "pronouns", "names", "title", "agreement", "repeated", "words")
_PRONOUNS: Final = frozenset(
    "he him his she her hers it its they them their theirs this that these those there who's he's she's".split()
)
# before anything was learned: what is self-contained, grounded and like the other candidates
_PRIOR: Final = {"kept": 1.0, "grounded": 1.0, "added": 0.5, "pronouns": -1.0, "agreement": 0.5, "repeated": -1.0}


@dataclass(frozen=True, slots=True)
class RewriteScorer:
    """Scores of rewrites, comparable within one question: a weighted sum of FEATURES."""

    weights: Mapping[str, float] = field(default_factory=lambda: dict(_PRIOR))

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a JSON object of weights by feature. Raises BadInput."""
        try:
            weights = json.loads(path.expanduser().read_text(encoding="utf-8"))
            if not isinstance(weights, dict) or set(weights) - set(FEATURES):
                raise ValueError(f"want weights of {', '.join(FEATURES)}")
            if not all(math.isfinite(float(value)) for value in weights.values()):
                raise ValueError("a weight is no number")
            return cls({str(name): float(value) for name, value in weights.items()})
        except (OSError, ValueError, TypeError) as error:
            raise BadInput(f"{path} is no scorer of rewrites ({error}); `litrag train adaqr` writes one") from error

    def scores(self, query: Query, texts: Sequence[str]) -> list[float]:
        """One a text."""
        rows = features(query, texts)
        return [
            sum(self.weights.get(name, 0.0) * value for name, value in zip(FEATURES, row, strict=True)) for row in rows
        ]


def features(query: Query, texts: Sequence[str]) -> list[tuple[float, ...]]:
    """For each rewrite the values of FEATURES: the share of the question's words that it keeps; of its new words, the share that stands in history
    or context; log(1 + new words); pronouns left; log(1 + capitalised words after the first); the share of the context's words in it; mean
    Jaccard similarity to the other rewrites; share of words that stand twice; log(1 + words)."""
    own, told = _words(query.text), _words(" ".join((*query.history, query.context)))
    head = _words(query.context)
    bags = [_words(text) for text in texts]
    found: list[tuple[float, ...]] = []
    for place, (text, bag) in enumerate(zip(texts, bags, strict=True)):
        words = _list(text)
        new = bag - own
        others = [_jaccard(bag, other) for i, other in enumerate(bags) if i != place]
        found.append(
            (
                len(own & bag) / max(1, len(own)),
                len(new & told) / max(1, len(new)),
                math.log1p(len(new)),
                float(len(bag & _PRONOUNS)),
                math.log1p(sum(word[:1].isupper() for word in text.split()[1:])),
                len(head & bag) / max(1, len(head)),
                sum(others) / max(1, len(others)),
                1 - len(bag) / max(1, len(words)),
                math.log1p(len(words)),
            )
        )
    return found


async def sampled(model: Generates, query: Query, *, k: int, temperature: float, tokens: int = 300) -> list[str]:
    """Up to `k` usable rewrites of a question with history, of which `tokens` tokens are shown, in the order of the replies, none twice. Raises
    ModelFault, BudgetSpent."""
    prompt = asked(measure_of(model), query, tokens=tokens)
    reply = await model.generate([Message("user", prompt)], n=k, temperature=temperature, max_tokens=100, stop=STOP)
    found: dict[str, str] = {}
    for text in map(parse_rewrite, reply.texts):
        if text:
            found.setdefault(text.casefold(), text)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class BestOf:
    """The original question and the best of `k` sampled rewrites (kind "rewrite"), by the weights in the file `scorer` ("": weights set by
    hand). `context`, whether the query's context is shown; `tokens`, how much of the history."""

    needs: ClassVar = Generates
    prompt: ClassVar = CONVERSATION
    converses: ClassVar = True

    model: Generates
    k: int = 3
    temperature: float = 1.0
    scorer: str = ""
    context: bool = True
    tokens: int = 300

    def __post_init__(self) -> None:
        if self.k < 1 or self.temperature <= 0:
            raise ValueError(f"k {self.k}, temperature {self.temperature}: sample at least one, above temperature 0")

    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """Original first; alone where there is no history or no usable reply. Raises BadInput (scorer), ModelFault, BudgetSpent."""
        if not query.history:
            return (query,)
        shown = query if self.context else replace(query, context="")
        texts = await sampled(self.model, shown, k=self.k, temperature=self.temperature, tokens=self.tokens)
        if not texts:
            return (query,)
        scorer = RewriteScorer.load(Path(self.scorer)) if self.scorer else RewriteScorer()
        values = scorer.scores(shown, texts)
        best = texts[max(range(len(texts)), key=lambda place: values[place])]
        return (query, replace(query, text=best, kind="rewrite", parent=query.text, history=(), context=""))


def _list(text: str) -> list[str]:
    return [
        word for word in ("".join(c for c in raw if c.isalnum() or c == "'") for raw in text.casefold().split()) if word
    ]


def _words(text: str) -> set[str]:
    return set(_list(text))


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))
