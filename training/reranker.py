"""Training a reranker that is a small language model: by the scores that `YesNo`, `First` or `QueryLikelihood` will read off it.

A step takes some queries and of each a group of candidates with unlike grades; a loss over the group's scores trains the model. What the
trainer computes is what the reranker of that name computes with the artefact: prompts are made by the same functions."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.store import digest
from litrag.core.types import Hit, Message
from litrag.exports.records import Record
from litrag.models.local_prompts import PromptCoder
from litrag.rerankers.first_token import first_prompt, yes_no_prompt
from litrag.rerankers.query_likelihood import likelihood_prompt
from litrag.rerankers.toolkit import Control, Scale, fitted, score_texts
from litrag.training.judged import Judged, judged
from litrag.training.kit import Built, Job
from litrag.training.ranking_losses import LOSSES
from litrag.training.teaching import taught
from litrag.training.tuning import Tuned, load_tuned

if TYPE_CHECKING:
    import torch

__all__ = ["RerankerSettings", "reranker"]

_LETTERS: Final = string.ascii_uppercase


class RerankerSettings(Record):
    """The recipe's own settings (--set)."""

    form: Literal["yes-no", "first", "likelihood"] = Field(default="yes-no", description="How it will be asked.")
    loss: Literal["binary", "ranknet", "margin-mse", "listwise"] = Field(default="ranknet", description="Over a group.")
    group: int = Field(default=8, ge=2, le=26, description="Candidates of a query in a step.")
    tokens: int = Field(default=120, ge=8, description="Most tokens of a text.")
    scores: Control = Field(default="none", description="First-stage scores as text: own, none, permuted, constant.")
    scale: Scale = Field(default="minmax", description="How they are written.")
    temperature: float = Field(default=1.0, gt=0, description="Divides scores in the loss.")
    teacher: str = Field(default="", description="Reranker whose scores are the targets; none: the judgements are.")
    teacher_model: str = Field(default="", description="Its model; none: the base.")


@dataclass(frozen=True, slots=True)
class _Group:
    """Sequences whose scores stand against each other, and the targets; `asked` are the tokens whose logits are read at each one's end (one
    list a document), `forced` how many tokens at its end are scored instead."""

    sequences: tuple[tuple[int, ...], ...]
    targets: tuple[float, ...]
    asked: tuple[tuple[int, ...], ...] = ()
    forced: int = 0


def reranker(job: Job) -> Built:
    """The recipe. `dataset` is one or more data sets with judgements, joined by "+". Raises BadInput, UnknownName, ModelFault."""
    config, own = job.config, job.config.of(RerankerSettings)
    topics = judged(config.dataset)
    if own.teacher:
        topics = taught(topics, own.teacher, own.teacher_model or config.base, job.listen)
    tuned = load_tuned(config)
    encoder = _Encoder(tuned, own, config.base_model)
    held = [topic for topic in topics if topic.place < config.held_out]
    learned = _balanced([topic for topic in topics if topic.place >= config.held_out])
    if not learned:
        raise BadInput(f"{config.dataset}: no query is left to learn from; lower held_out")
    wanted = config.max_steps * config.batch_size
    rounds = -(-wanted // len(learned))
    order = random.Random(config.seed)  # noqa: S311
    drawn = [topic for _ in range(rounds) for topic in order.sample(learned, len(learned))][:wanted]
    groups = [encoder.group(topic, config.seed + turn) for turn, topic in enumerate(drawn)]
    measured = [encoder.group(topic, turn) for topic in held for turn in range(2)]
    job.listen(Event("train", f"{len(learned)} queries, {len(groups)} groups of {own.group}"))
    trainer = _trainer_class()(
        model=tuned.model,
        args=job.arguments(
            remove_unused_columns=False,
            prediction_loss_only=True,
            label_names=["targets"],
            max_grad_norm=1.0,
            dataloader_drop_last=True,
        ),
        train_dataset=[{"group": group} for group in groups],
        eval_dataset=[{"group": group} for group in measured] or None,
        data_collator=_Padding(tuned.loaded.tokenizer.pad_token_id or 0),
    )
    trainer.own = own
    facts = {"queries": len(learned), "held_out": len(held), "groups": len(groups)}
    return Built(trainer, tuned.save, tuned.adapts, bool(held), facts)


def _balanced(topics: Sequence[Judged]) -> list[Judged]:
    """Each data set as often as the largest one: the few queries of a small set are asked with other groups each time."""
    sets: dict[str, list[Judged]] = {}
    for topic in topics:
        sets.setdefault(topic.dataset, []).append(topic)
    most = max((len(rows) for rows in sets.values()), default=0)
    return [rows[i % len(rows)] for rows in sets.values() for i in range(most)]


class _Encoder:
    """Groups as token ids, by the prompts of the reranker that is trained."""

    def __init__(self, tuned: Tuned, own: RerankerSettings, base: str) -> None:
        from litrag.models.measuring import measure_for

        self._coder, self._own = PromptCoder(tuned.loaded.tokenizer), own
        self.measure = measure_for(base)
        self.model = base

    def group(self, topic: Judged, seed: int) -> _Group:
        """A group of the topic's candidates: as many relevant ones as others where there are as many, in an order that the seed decides."""
        own, hits = self._own, topic.ranking.hits
        places = self._chosen(topic, seed)
        texts = score_texts(hits, scale=own.scale, control=own.scores, seed=seed)
        targets = tuple(float(topic.grades[i]) for i in places)
        scores = [texts[i] for i in places]
        query = topic.ranking.query
        if own.form == "first":
            shown = fitted(self, [hits[i] for i in places], own.tokens, frame=query.text, reply=1)
            ids = self._coder.prompt([Message("user", first_prompt(query, shown, scores))])
            letters = tuple(self._token(letter) for letter in _LETTERS[: len(places)])
            return _Group((tuple(ids),), targets, tuple((letter,) for letter in letters))
        shown = [self._text(hits[i], query.text) for i in places]
        if own.form == "yes-no":
            asked = (self._token("yes"), self._token("no"))
            prompts = [yes_no_prompt(query, text, score) for text, score in zip(shown, scores, strict=True)]
            sequences = tuple(tuple(self._coder.prompt([Message("user", prompt)])) for prompt in prompts)
            return _Group(sequences, targets, (asked,) * len(places))
        pairs = [likelihood_prompt(query, text) for text in shown]
        forced = tuple(self._coder.plain(pairs[0][1]))
        sequences = tuple((*self._coder.prompt([message]), *forced) for message, _ in pairs)
        return _Group(sequences, targets, forced=len(forced))

    def _chosen(self, topic: Judged, seed: int) -> list[int]:
        draw = random.Random(digest([topic.ranking.query.text, seed]))  # noqa: S311
        least = min(topic.grades)
        best = [i for i, grade in enumerate(topic.grades) if grade > least]
        rest = [i for i, grade in enumerate(topic.grades) if grade == least]
        half = max(self._own.group // 2, self._own.group - len(rest))
        some = draw.sample(best, min(half, len(best)))
        some += draw.sample(rest, min(self._own.group - len(some), len(rest)))
        # half of the groups stand in the first stage's order, as at inference, half in no order
        return sorted(some) if draw.random() < 0.5 else draw.sample(some, len(some))

    def _text(self, hit: Hit, query: str) -> str:
        (text,) = fitted(self, [hit], self._own.tokens, frame=query, reply=1)
        return text

    def _token(self, text: str) -> int:
        ids = self._coder.plain(text)
        if len(ids) != 1:
            raise BadInput(
                f"{self.model}: {text!r} is {len(ids)} tokens of this model; train another form than {self._own.form}"
            )
        return ids[0]


@dataclass(frozen=True, slots=True)
class _Padding:
    """Groups as one batch: sequences padded on the left (rows, width); `groups` keeps what the loss needs."""

    pad: int

    def __call__(self, batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        import torch

        groups: list[_Group] = [row["group"] for row in batch]
        sequences = [sequence for group in groups for sequence in group.sequences]
        width = max(map(len, sequences))
        ids = torch.tensor([[self.pad] * (width - len(s)) + list(s) for s in sequences])
        mask = torch.tensor([[0] * (width - len(s)) + [1] * len(s) for s in sequences])
        targets = torch.tensor([target for group in groups for target in group.targets])
        return {"input_ids": ids, "attention_mask": mask, "targets": targets, "groups": groups}


def _trainer_class() -> Any:
    import torch
    from transformers import Trainer

    class RankingTrainer(Trainer):  # type: ignore[misc]
        """A Trainer whose loss is over groups of scores."""

        own: RerankerSettings

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **more: Any) -> Any:
            """The mean of the groups' losses."""
            mask, groups = inputs["attention_mask"], inputs["groups"]
            kept = 1 + max(group.forced for group in groups)
            logits = model(
                input_ids=inputs["input_ids"],
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                use_cache=False,
                logits_to_keep=kept,
            ).logits.float()
            losses, row, at = [], 0, 0
            for group in groups:
                rows, n = len(group.sequences), len(group.targets)
                scores = _scores(logits[row : row + rows], inputs["input_ids"][row : row + rows], group)
                losses.append(LOSSES[self.own.loss](scores / self.own.temperature, inputs["targets"][at : at + n]))
                row, at = row + rows, at + n
            loss = torch.stack(losses).mean()
            return (loss, {"loss": loss}) if return_outputs else loss

    return RankingTrainer


def _scores(logits: torch.Tensor, ids: torch.Tensor, group: _Group) -> torch.Tensor:
    """The group's scores (n,) from the last logits (rows, kept, vocabulary)."""
    if group.forced:
        tokens = ids[:, -group.forced :]
        chances = logits[:, -group.forced - 1 : -1].log_softmax(-1)
        return chances.gather(2, tokens[:, :, None])[:, :, 0].mean(1)
    last = logits[:, -1]
    if len(group.sequences) == 1 and len(group.asked) > 1:
        return last[0, [letter for (letter,) in group.asked]]
    yes, no = group.asked[0]
    return last[:, yes] - last[:, no]
