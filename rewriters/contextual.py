"""Rewriting with a document as context: the query is made to ask for what that document is about.

CAR (arXiv 2308.16753) does so with the relevant document, to train a ranker on unambiguous queries: other words for a query come from the
document alone, so its sense cannot drift to another one. At inference no document is known to be relevant; `PseudoRelevant` takes those that a
first search finds, and what it gives is always fused with the original query."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from litrag.core.keyphrases import keyphrases
from litrag.core.lengths import measure_of
from litrag.core.prompt import Prompt, neutralised
from litrag.core.protocols import ForcedScoring, Generates, Retriever
from litrag.core.replies import one_line, without_reasoning
from litrag.core.types import Message, Query
from litrag.rewriters.ambiguity import said

__all__ = ["IN_CONTEXT", "PseudoRelevant", "chosen_phrase", "rare_terms", "with_phrase", "written"]

IN_CONTEXT: Final = Prompt("""A search query is short and may mean several things. The document below is what the searcher was looking for. Write
the query anew, in at most $words words, so that it can only mean that: keep its words, and add words of the document that make its sense clear.
Do not copy the document's title.

<document>
$document
</document>

<query>
$query
</query>

Reply with the new query alone.""")
_LIKELY: Final = Prompt("""Passage: $document
Query:""")
_LONGEST: Final = 16  # words of a rewrite


async def written(model: Generates, query: str, document: str, *, words: int = 12, tokens: int = 300) -> str:
    """The query rewritten by a model that reads a document; "" where the reply keeps no word of the query, or adds none of the document. An empty
    document is a control: the query alone is rewritten. Raises ModelFault, BudgetSpent."""
    text = measure_of(model).cut(neutralised(document), tokens)
    prompt = IN_CONTEXT.fill(words=str(words), document=text, query=neutralised(query))
    reply = await model.generate([Message("user", prompt)], max_tokens=max(100, 4 * words))
    found = one_line(without_reasoning(reply.text), longest=_LONGEST)
    kept, new = set(said(found)) & set(said(query)), set(said(found)) - set(said(query))
    grounded = not document or new & set(said(document))
    return found if kept and new and grounded and not IN_CONTEXT.echoed(found) else ""


async def chosen_phrase(model: ForcedScoring, query: str, document: str, *, n: int = 8, tokens: int = 200) -> str:
    """The query with the one of the document's `n` keyphrases under which it is likeliest after the document, by the mean log-probability of its
    tokens: a choice that a model can make which cannot write. "" where no phrase adds a word. Raises ModelFault, BudgetSpent."""
    known = set(said(query))
    phrases = [phrase for phrase in keyphrases(document, n) if set(said(phrase)) - known]
    if not phrases:
        return ""
    text = measure_of(model).cut(neutralised(document), tokens)
    options = [with_phrase(query, phrase) for phrase in phrases]
    scores = await model.score(
        [Message("assistant", _LIKELY.fill(document=text))], [f" {option}" for option in options]
    )
    return options[max(range(len(options)), key=lambda place: scores[place].mean)]


def with_phrase(query: str, phrase: str) -> str:
    """Both, the phrase after the query, without the words that it shares with it."""
    known = set(said(query))
    return " ".join(
        [query.rstrip(" ?."), *(word for word in phrase.split() if not set(said(word)) <= known or not said(word))]
    )


def rare_terms(query: str, document: str, frequency: Mapping[str, int], documents: int, *, n: int = 3) -> str:
    """The query with the document's `n` words of the greatest TF-IDF: a control without a model."""
    counts = Counter(word for word in said(document) if word not in set(said(query)))
    weight = {word: times * math.log((1 + documents) / (1 + frequency.get(word, 0))) for word, times in counts.items()}
    best = sorted(counts, key=lambda word: (-weight[word], word))[:n]
    return " ".join([query.rstrip(" ?."), *best]) if best else ""


@dataclass(frozen=True, slots=True)
class PseudoRelevant:
    """The original query and, for each of the first `k` documents of a first search, the query rewritten with that document as context (kind
    "in-context")."""

    needs: ClassVar = Generates
    searches: ClassVar = True
    prompt: ClassVar = IN_CONTEXT

    model: Generates
    retriever: Retriever
    k: int = 3
    words: int = 12

    async def rewrite(self, query: Query) -> tuple[Query, ...]:
        """Original first; alone where nothing is found, or no reply is of use. Raises ModelFault, BudgetSpent, what the retriever raises."""
        (ranking,) = await self.retriever.retrieve([query], self.k)
        found: dict[str, Query] = {}
        for hit in ranking.hits[: self.k]:
            text = await written(self.model, query.text, hit.document.text, words=self.words)
            if text and text.casefold() != query.text.casefold():
                found.setdefault(text.casefold(), replace(query, text=text, kind="in-context", parent=query.text))
        return (query, *found.values())
