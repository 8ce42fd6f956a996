"""A review that a language model writes, within a budget. Set LITRAG_MODEL (`openai/gpt-4o-mini`; for a server of your own also LITRAG_API_BASE);
without it, replies that were recorded answer offline."""

import json
import os
from pathlib import Path

from litrag import review

RECORDED = Path(__file__).parent / "recorded"
OPTIONS = {"papers": 8, "embed_model": "none", "max_searches": 12, "max_calls": 40, "max_cost": 0.20}  # US dollars

made = review(
    RECORDED / "budget" / "abstract.txt",
    library=RECORDED / "library.jsonl",
    model=os.environ.get("LITRAG_MODEL", f"recorded/{os.path.relpath(RECORDED / 'budget' / 'replies.jsonl')}"),
    out="budget-review",
    force=True,
    **OPTIONS,
)
spent = json.loads((made.folder / "run.json").read_text(encoding="utf-8"))["ledger"]
print(made.text.partition("## References")[0])
print(f"{made.stop_reason}: {made.papers} papers cited, {spent['calls']} model calls, ${spent['usd']:.4f}")
