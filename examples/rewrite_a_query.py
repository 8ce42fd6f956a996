"""Queries that several methods make of one. LITRAG_MODEL names the model that rewrites; without it, recorded replies do."""

import os
from pathlib import Path

from litrag.core.settings import load_settings
from litrag.pipelines.rewriting import rewritten

MODEL = os.environ.get("LITRAG_MODEL", f"recorded/{Path(__file__).parent / 'recorded' / 'questions' / 'replies.jsonl'}")
QUERY = "Do rewrites by a language model find better passages than rewrites by people?"
TURNS = ("What is CONQRR?", "A conversational query rewriting model trained by reinforcement learning.")

for method in ("statistical", "keywords", "step-back", "decompose", "hyde"):
    found = rewritten(QUERY, load_settings(rewriter=method, model=MODEL), {})
    print(found.spent)
    for query in found.queries[1:]:  # the first is the query as it was
        print(f"    {query.text}")
last = rewritten(
    "Which retrievers does it work with?", load_settings(rewriter="conversational", model=MODEL), {}, history=TURNS
)
print(last.spent, *(f"    {query.text}" for query in last.queries[1:]), sep="\n")
