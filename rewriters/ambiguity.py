"""Which queries can mean several things, by their words alone: what CAR (arXiv 2308.16753) rewrites before it trains a ranker on them.

A query is taken for ambiguous where it has few words that say something (a keyphrase, an acronym), or leans on something outside it (a pronoun,
"what else", "the others"). A language model may judge instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import NextTokenLogprobs
from litrag.core.types import Message

__all__ = ["AMBIGUOUS", "AmbiguityModel", "ambiguous", "leans", "said"]

AMBIGUOUS: Final = Prompt("""A search query is ambiguous if it can mean several different things, or cannot be understood without what was
said before it.

<query>
$query
</query>

Is the query ambiguous? Answer with yes or no alone.""")
_WORD: Final = re.compile(r"[\w'-]+")
_POINTING: Final = frozenset(
    "he him his she her hers it its they them their theirs this that these those there one ones else other others another same so".split()
)
_EMPTY: Final = frozenset(
    "a an and any are as at be been being by can could did do does doing for from had has have how i if in into is may me might more most my no "
    "not of on or our should some than the then to too up us was we were what when where which while who whom whose why will with would you your "
    "about after all also because before between both but during each ever happened happen interesting important tell make made".split()
)
_FEW: Final = 3  # words


def said(text: str) -> list[str]:
    """The words of a text that say something: neither grammar nor pointing."""
    return [word for word in _WORD.findall(text.casefold()) if word not in _EMPTY and word not in _POINTING]


def leans(text: str) -> bool:
    """Whether a text points at something outside it. "that" and "this" in a clause of six words or more point inside it as often as not."""
    written = _WORD.findall(text)
    shouted = all(word.isupper() for word in written)
    words = [
        word.casefold() for word in written if shouted or len(word) < 2 or not word.isupper()
    ]  # "IT" is no pronoun
    found = [word for word in words if word in _POINTING and word not in ("that", "so")]
    return bool(found) or (len(words) < 6 and "that" in words)


def ambiguous(text: str, *, few: int = _FEW) -> bool:
    """The judgement by rules."""
    return len(said(text)) <= few or leans(text)


@dataclass(frozen=True, slots=True)
class AmbiguityModel:
    """The judgement by the log-probabilities of yes and no after AMBIGUOUS."""

    needs: ClassVar = NextTokenLogprobs
    prompt: ClassVar = AMBIGUOUS

    model: NextTokenLogprobs

    async def judge(self, text: str) -> bool:
        """Raises ModelFault, BudgetSpent."""
        message = Message("user", AMBIGUOUS.fill(query=neutralised(text)))
        found = await self.model.next_token_logprobs([message], ("yes", "no"))
        return found["yes"] > found["no"]
