"""A question that no single paper answers: several searches, led on by names that were read, and the words that the answer rests on. LITRAG_MODEL
names the model that answers; without it, a recorded reply does."""

import os
from pathlib import Path

from litrag.pipelines.answer import AskOptions, ask

HERE = Path(__file__).parent
MODEL = os.environ.get("LITRAG_MODEL", f"recorded/{HERE / 'recorded' / 'questions' / 'replies.jsonl'}")
QUESTION = "How many questions has the data set on which GoldEn Retriever surpasses earlier models?"
OPTIONS = AskOptions(max_searches=3, k=2)

found = ask(QUESTION, library=HERE / "library.jsonl", options=OPTIONS, answer_model=MODEL, embed_model="none")
for number, hop in enumerate(found.trajectory.hops, start=1):
    print(f"search {number}: {hop.query}\n    {hop.thought or 'the question itself'}; new: {', '.join(hop.new_ids)}")
print(f"\n{QUESTION}\n{found.answer.text}")
for support in found.answer.supports:
    print(f'    "{support.quote}" ({support.title})')
print(f"\n{found.trajectory.stop_reason}; {found.spent}")
