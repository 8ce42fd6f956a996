"""Records the replies of a model to the exact prompts of a review: `python examples/recorded/record.py NAME --pending DIR`.

Prompts without a reply are written to DIR/<key>.prompt.txt and the review stops; put what the model answers into DIR/<key>.reply.txt and call again, until
the review is written. What was recorded stands in NAME/replies.jsonl, which `--model recorded/<that file>` replays."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from litrag import review
from litrag.core.errors import LitragError, ModelUnavailable
from litrag.core.protocols import Usage
from litrag.models.recorded import read_replies, recorded_key
from litrag.models.request import ModelReply, ModelRequest

HERE = Path(__file__).parent


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
    with tempfile.TemporaryDirectory() as out:
        try:
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
            print(made.text)
        except LitragError as error:
            print(f"{chosen.name}: {error}")


if __name__ == "__main__":
    main()
