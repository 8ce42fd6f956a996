"""Supervised fine-tuning of a causal language model on prompts and completions: the first stage of AdaQR and FrugalRAG, and a use of its own.

Only the completion and its end are learned. A prompt becomes tokens just as at inference (`models.local_prompts`), so what the trainer
computes is what the loaded artefact gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.store import place_of
from litrag.core.types import Message
from litrag.exports.records import Record
from litrag.models.local_prompts import PromptCoder
from litrag.training.choosing import Choice, chosen
from litrag.training.examples import rows
from litrag.training.kit import Built, Job
from litrag.training.tuning import load_tuned

__all__ = ["Example", "SftSettings", "encoded", "read_examples", "sft"]

_IGNORED: Final = -100  # the label that torch's cross entropy leaves out


class SftSettings(Record):
    """The recipe's own settings (--set)."""

    choose: Choice = Field(default="", description="Examples by effort or influence of their gradients; none: all.")
    share: float = Field(default=0.5, gt=0, le=1, description="The share that is then learned from.")


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation and the reply to learn."""

    messages: tuple[Message, ...]
    completion: str
    group: str = ""

    @property
    def place(self) -> float:
        """A number in [0, 1) by the group, or by content where there is none: what is held out stays so when the file grows or is shuffled, and the
        examples of a group are held out together."""
        content = [[[m.role, m.content] for m in self.messages], self.completion]
        return place_of(f"group {self.group}") if self.group else place_of(content)


def sft(job: Job) -> Built:
    """The recipe. `dataset` is a JSON Lines file of {"prompt", "completion"} or {"messages": [{"role", "content"}, ...]}, the last
    message being the assistant's; "group" names what is held out together. Raises BadInput, ModelUnavailable."""
    from transformers import Trainer

    config, own = job.config, job.config.of(SftSettings)
    examples = list(read_examples(Path(config.dataset), job))
    tuned = load_tuned(config)
    coder = PromptCoder(tuned.loaded.tokenizer)
    end: Any = tuned.loaded.tokenizer.eos_token_id
    inputs = [(example, encoded(example, coder, end)) for example in examples]
    fitting = [(example, ids) for example, ids in inputs if len(ids["input_ids"]) <= config.max_length]
    held = [ids for example, ids in fitting if example.place < config.held_out]
    learned = [ids for example, ids in fitting if example.place >= config.held_out]
    long = len(inputs) - len(fitting)
    if long:
        job.listen(Event("train", f"{long} examples longer than {config.max_length} tokens are left out", "warning"))
    if not learned:
        raise BadInput(f"{config.dataset}: no example of at most {config.max_length} tokens to learn from")
    padding = _Padding(end or 0)
    if own.choose:
        job.listen(Event("train", f"{own.choose} of {len(learned)} examples"))
        places = chosen(tuned.model, learned, own.choose, round(own.share * len(learned)) or 1, padding)
        learned = [learned[place] for place in places]
    trainer = Trainer(
        model=tuned.model,
        args=job.arguments(remove_unused_columns=False, prediction_loss_only=True, label_names=["labels"]),
        train_dataset=learned,
        eval_dataset=held or None,
        data_collator=padding,
    )
    facts = {"learned": len(learned), "held_out": len(held), "too_long": long}
    return Built(trainer, tuned.save, tuned.adapts, bool(held), facts)


def read_examples(path: Path, job: Job) -> Iterator[Example]:
    """The examples of a file; a line that is none is a warning with its number. Raises BadInput where there is no file or no example."""
    count = 0
    for number, row in rows(path, lambda text: job.listen(Event("train", text, "warning"))):
        example = _example(row)
        if example is None:
            job.listen(Event("train", f"{path.name}, line {number}: no prompt and completion; left out", "warning"))
        else:
            count += 1
            yield example
    if not count:
        raise BadInput(
            f'{path} holds no example; each line needs {{"prompt": …, "completion": …}} or {{"messages": […]}}'
        )


def encoded(example: Example, coder: PromptCoder, end: int | None) -> dict[str, list[int]]:
    """Token ids and labels of equal length; labels of the prompt are ignored ones. `end` closes the completion."""
    prompt = coder.prompt(example.messages)
    reply = [*coder.reply(example.messages, example.completion), *([end] if end is not None else [])]
    return {"input_ids": [*prompt, *reply], "labels": [*([_IGNORED] * len(prompt)), *reply]}


def _example(row: Mapping[str, Any]) -> Example | None:
    messages, group = row.get("messages"), str(row.get("group") or "")
    if isinstance(messages, list) and messages and all(isinstance(m, dict) for m in messages):
        turns = [(m.get("role"), m.get("content")) for m in messages]
        if all(role in ("system", "user", "assistant") and isinstance(text, str) for role, text in turns):
            *before, (role, text) = turns
            if before and role == "assistant" and text:
                return Example(tuple(Message(r, str(t)) for r, t in before), str(text), group)
        return None
    prompt, completion = row.get("prompt"), row.get("completion")
    if isinstance(prompt, str) and isinstance(completion, str) and completion:
        return Example((Message("user", prompt),), completion, group)
    return None


@dataclass(frozen=True, slots=True)
class _Padding:
    """Batches of unequal rows, padded on the right."""

    pad: int

    def __call__(self, batch: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, Any]:
        import torch

        width = max(len(row["input_ids"]) for row in batch)

        def padded(name: str, filler: int) -> Any:
            return torch.tensor([[*row[name], *([filler] * (width - len(row[name])))] for row in batch])

        mask = [[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in batch]
        return {
            "input_ids": padded("input_ids", self.pad),
            "labels": padded("labels", _IGNORED),
            "attention_mask": torch.tensor(mask),
        }
