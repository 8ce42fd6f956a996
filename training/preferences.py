"""Preference tuning (DPO, arXiv 2305.18290) on pairs of replies: the second stage of AdaQR, and a use of its own.

Prompts and replies become tokens as in `sft` and at inference, not by TRL's own reading of the template. A base that has an adapter is
trained on from it, and that adapter, as it was, is the reference; where all weights are tuned, it is the model as it was loaded."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
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
from litrag.training.examples import rows
from litrag.training.kit import Built, Job, needed
from litrag.training.sft import Example, encoded
from litrag.training.tuning import load_tuned

__all__ = ["DpoSettings", "Pair", "dpo", "read_pairs"]

_FORM: Final = '{"prompt": …, "chosen": …, "rejected": …}'


class DpoSettings(Record):
    """The recipe's own settings (--set)."""

    beta: float = Field(default=0.1, gt=0, description="How far the model may go from the reference; less is farther.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5, description="Share of pairs held to be the wrong way.")


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt and two replies, the better one first."""

    prompt: str
    chosen: str
    rejected: str

    @property
    def place(self) -> float:
        """A number in [0, 1) by the prompt: pairs of one prompt are held out together."""
        return place_of(self.prompt)


def dpo(job: Job) -> Built:
    """The recipe. `dataset` is a JSON Lines file of {"prompt", "chosen", "rejected"}. Raises BadInput, ModelUnavailable, MissingExtra."""
    datasets, trl = needed("datasets"), needed("trl")
    config, own = job.config, job.config.of(DpoSettings)
    pairs = list(read_pairs(Path(config.dataset), job))
    tuned = load_tuned(config, goes_on=True)
    tokenizer: Any = tuned.loaded.tokenizer
    coder = PromptCoder(tokenizer)
    found = [(pair, _ids(pair, coder, tokenizer.eos_token_id)) for pair in pairs]
    fitting = [(pair, ids) for pair, ids in found if _length(ids) <= config.max_length]
    held = [ids for pair, ids in fitting if pair.place < config.held_out]
    learned = [ids for pair, ids in fitting if pair.place >= config.held_out]
    if len(fitting) < len(found):
        long = len(found) - len(fitting)
        job.listen(Event("train", f"{long} pairs longer than {config.max_length} tokens are left out", "warning"))
    if not learned:
        raise BadInput(f"{config.dataset}: no pair of at most {config.max_length} tokens to learn from")

    kind: Any = trl.DPOTrainer

    class Prepared(kind):  # type: ignore[misc]
        """TRL's trainer over pairs that are tokens already."""

        def _prepare_dataset(self, dataset: Any, *rest: Any, **more: Any) -> Any:
            return dataset

    trainer = Prepared(
        model=tuned.model,
        # TRL would read the reference anew by the model's name, which names the base of a merged adapter
        ref_model=copy.deepcopy(tuned.model).eval() if tuned.adapts is None else None,
        args=job.arguments(
            trl.DPOConfig, beta=own.beta, label_smoothing=own.label_smoothing, max_length=None, loss_type=["sigmoid"]
        ),
        train_dataset=datasets.Dataset.from_list(learned),
        eval_dataset=datasets.Dataset.from_list(held) if held else None,
        processing_class=tokenizer,
    )
    facts = {"learned": len(learned), "held_out": len(held), "too_long": len(found) - len(fitting)}
    return Built(trainer, tuned.save, tuned.adapts, bool(held), facts)


def read_pairs(path: Path, job: Job) -> Iterator[Pair]:
    """The pairs of a file; a line that is none, or whose replies are the same, is a warning with its number. Raises BadInput where there is no
    file or no pair."""
    count = 0
    for number, row in rows(path, lambda text: job.listen(Event("train", text, "warning"))):
        texts = [row.get(name) for name in ("prompt", "chosen", "rejected")]
        if all(isinstance(text, str) and text for text in texts) and texts[1] != texts[2]:
            count += 1
            yield Pair(*map(str, texts))
        else:
            job.listen(Event("train", f"{path.name}, line {number}: no pair; left out", "warning"))
    if not count:
        raise BadInput(f"{path} holds no pair; each line needs {_FORM}, and two replies that differ")


def _ids(pair: Pair, coder: PromptCoder, end: int | None) -> dict[str, list[int]]:
    """Tokens of the prompt, and of each reply with its end."""
    messages = (Message("user", pair.prompt),)
    prompt = coder.prompt(messages)
    chosen, rejected = (
        encoded(Example(messages, reply), coder, end)["input_ids"][len(prompt) :]
        for reply in (pair.chosen, pair.rejected)
    )
    return {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}


def _length(ids: Mapping[str, list[int]]) -> int:
    return len(ids["prompt_ids"]) + max(len(ids["chosen_ids"]), len(ids["rejected_ids"]))
