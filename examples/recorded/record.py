"""Records the replies of a model to the exact prompts of a review, or (NAME `questions`) of ../ask_a_question.py and ../rewrite_a_query.py:
`python examples/recorded/record.py NAME --pending DIR`.

Prompts without a reply are written to DIR/<key>.prompt.txt and the review stops; put what the model answers into DIR/<key>.reply.txt and call again, until
all is written. What was recorded stands in NAME/replies.jsonl, which `--model recorded/<that file>` replays."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from litrag import review
from litrag.core.errors import LitragError, ModelUnavailable
from litrag.core.protocols import Usage
from litrag.core.settings import load_settings
from litrag.models.recorded import read_replies, recorded_key
from litrag.models.request import ModelReply, ModelRequest
from litrag.pipelines.answer import AskOptions, ask
from litrag.pipelines.rewriting import rewritten

HERE = Path(__file__).parent
QUERY = "Do rewrites by a language model find better passages than rewrites by people?"
METHODS = ("keywords", "step-back", "decompose", "hyde")
TURNS = ("What is CONQRR?", "A conversational query rewriting model trained by reinforcement learning.")
LAST = "Which retrievers does it work with?"
QUESTION = "How many questions has the data set on which GoldEn Retriever surpasses earlier models?"


class Recorder:
    """A backend that answers from what was recorded and from replies that lie in a folder."""

    def __init__(self, file: Path, pending: Path) -> None:
        self.file, self.pending = file, pending
        self.replies = read_replies(file) if file.is_file() else {}

    async def send(self, request: ModelRequest) -> ModelReply:
        """The reply. Raises ModelUnavailable for a prompt that has none yet."""
        await asyncio.sleep(0.01)  # all that can be asked at once is
        key = recorded_key(request)
        if key not in self.replies:
            self.take(key, request)
        return self.replies[key]

    def take(self, key: str, request: ModelRequest) -> None:
        """Records the reply that lies in the folder, or writes the prompt there."""
        prompt = "\n\n".join(message.content for message in request.messages)
        answer = self.pending / f"{key[:12]}.reply.txt"
        if not answer.is_file():
            (self.pending / f"{key[:12]}.prompt.txt").write_text(prompt, encoding="utf-8")
            raise ModelUnavailable(f"{request.role}: no reply yet")
        text = answer.read_text(encoding="utf-8").strip()
        usage = Usage(prompt_tokens=len(prompt) // 4, completion_tokens=len(text) // 4)  # rough: nobody counted
        self.replies[key] = ModelReply(usage, texts=(text,), finish=("stop",))
        row = {"key": key, "role": request.role, "reply": self.replies[key].to_json()}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def main() -> None:
    """Goes on with a recording."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--pending", type=Path, required=True)
    chosen = parser.parse_args()
    folder: Path = HERE / chosen.name
    chosen.pending.mkdir(parents=True, exist_ok=True)
    backend = Recorder(folder / "replies.jsonl", chosen.pending)
    try:
        print(questions(backend) if chosen.name == "questions" else written(folder, backend))
    except LitragError as error:
        print(f"{chosen.name}: {error}")


def written(folder: Path, backend: Recorder) -> str:
    """The review of the folder's abstract."""
    with tempfile.TemporaryDirectory() as out:
        made = review(
            folder / "abstract.txt",
            library=HERE / "library.jsonl",
            model="scripted/recorded",
            embed_model="none",
            papers=8,
            out=out,
            force=True,
            backend=backend,
        )
    return made.text


def questions(backend: Recorder) -> str:
    """What the two scripts ask, one after the other; the first prompt without a reply ends it."""
    lines = []
    for method, query, turns in [*((method, QUERY, ()) for method in METHODS), ("conversational", LAST, TURNS)]:
        values = load_settings(rewriter=method, model="scripted/recorded")
        lines += [query.text for query in rewritten(query, values, {}, history=turns, backend=backend).queries]
    options = {
        "library": HERE.parent / "library.jsonl",
        "embed_model": "none",
        "options": AskOptions(max_searches=3, k=2),
    }
    lines.append(ask(QUESTION, answer_model="scripted/recorded", backend=backend, **options).answer.text)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
