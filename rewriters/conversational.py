"""Conversational rewriting: a question that leans on what was said before becomes one that can be searched with (CANARD, EMNLP 2019; the
task of AdaQR, arXiv 2406.10991). A model that AdaQR has trained is asked by this same prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from litrag.core.lengths import TextMeasure, measure_of
from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import Generates
from litrag.core.replies import one_line, without_reasoning
from litrag.core.types import Message, Query

__all__ = ["CONVERSATION", "STOP", "SelfContained", "asked", "parse_rewrite"]

CONVERSATION: Final = Prompt("""Rewrite the last question of the conversation so that it can be understood without it: put names in the
place of pronouns, add what was left out, keep its meaning, and do not answer it.

Conversation:
$conversation

Question: $question
Rewrite:""")
STOP: Final = ("\nQuestion:", "\nConversation:")  # no line break: a reply may begin with one, or with its reasoning
_LABEL: Final = re.compile(r"^[\s*_#>]*rewrit(?:e|ten (?:question|query))[\s*_]*:[\s*_]*", re.IGNORECASE)
_LONGEST: Final = 60  # words of a rewrite


def asked(measure: TextMeasure, query: Query, *, tokens: int = 300) -> str:
    """The prompt for a question with its history (question, answer, question, answer, ...): of that the latest whole turns that fit into
    `tokens` tokens of a model, at least the last one, of whose texts so much is shown. Training and inference ask by it alike."""
    start, room = len(query.history), tokens
    while start > 0:
        turn = max(0, start - 2)
        room -= sum(measure.count(text) for text in query.history[turn:start])
        if room < 0 and start < len(query.history):
            break
        start = turn
    latest = [measure.cut(text, tokens) for text in query.history[start:]]
    turns = [f"{'Answer' if i % 2 else 'Question'}: {neutralised(text)}" for i, text in enumerate(latest)]
    head = [neutralised(" - ".join(query.context.split("\n")))] if query.context else []
    return CONVERSATION.fill(conversation="\n".join((*head, *turns)), question=neutralised(query.text))


def parse_rewrite(reply: str) -> str:
    """The first line of a reply that is a question's length; "" where there is none."""
    text = one_line(_LABEL.sub("", without_reasoning(reply).strip()), longest=_LONGEST)
    return "" if CONVERSATION.echoed(text) else text


@dataclass(frozen=True, slots=True)
class SelfContained:
    """The original question and what the model makes of it with its history (kind "rewrite"). Of the history the latest turns are shown
    that fit into `tokens` tokens; `context`, whether the query's context (a page's title and section) is shown."""

    needs: ClassVar = Generates
    prompt: ClassVar = CONVERSATION
    converses: ClassVar = True

    model: Generates
    tokens: int = 300
    context: bool = True

    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """Original first; alone where there is no history or no usable reply. Raises ModelFault, BudgetSpent."""
        if not query.history:
            return (query,)
        shown = query if self.context else replace(query, context="")
        prompt = asked(measure_of(self.model), shown, tokens=self.tokens)
        reply = await self.model.generate([Message("user", prompt)], max_tokens=200, stop=STOP)
        text = parse_rewrite(reply.text)
        if not text or text.casefold() == query.text.casefold():
            return (query,)
        return (query, replace(query, text=text, kind="rewrite", parent=query.text, history=(), context=""))
