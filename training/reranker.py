"""Training a reranker: a small language model by the scores that `YesNo`, `First` or `QueryLikelihood` will read off it, or an encoder by those that
`CrossEncoder` will.

A step takes some queries and of each a group of candidates with unlike grades; a loss over the group's scores trains the model. What the
trainer computes is what the reranker of that name computes with the artefact: prompts are made by the same functions."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
from litrag.rerankers.toolkit import Control, Scale, fitted, scores_beside
from litrag.training.config import TrainConfig
from litrag.training.judged import Judged, judged
from litrag.training.kit import Built, Job
from litrag.training.pairs import PairEncoder, pair_scores
from litrag.training.ranking_losses import LOSSES
from litrag.training.teaching import taught
from litrag.training.tuning import Tuned, load_tuned

if TYPE_CHECKING:
    import torch

__all__ = ["RerankerSettings", "reranker"]

_LETTERS: Final = string.ascii_uppercase


class RerankerSettings(Record):
    """The recipe's own settings (--set)."""

    form: Literal["yes-no", "first", "likelihood", "pair"] = Field(
        default="yes-no", description="How it will be asked; pair trains an encoder as a cross-encoder."
    )
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
    if own.form in ("likelihood", "pair") and own.scores != "none":
        raise BadInput(f"form {own.form} shows no first-stage score; leave scores at none, or take another form")
    topics = judged(config.dataset)
    if own.teacher:
        topics = taught(topics, own.teacher, own.teacher_model or config.base, job.listen)
    learner = _pairs(config, own) if own.form == "pair" else _prompted(config, own)
    held = [topic for topic in topics if topic.place < config.held_out]
    learned = _balanced([topic for topic in topics if topic.place >= config.held_out])
    if not learned:
        raise BadInput(f"{config.dataset}: no query is left to learn from; lower held_out")
    wanted = config.max_steps * config.batch_size
    rounds = -(-wanted // len(learned))
    order = random.Random(config.seed)  # noqa: S311
    drawn = [topic for _ in range(rounds) for topic in order.sample(learned, len(learned))][:wanted]
    groups = [learner.group(topic, config.seed + turn) for turn, topic in enumerate(drawn)]
    measured = [learner.group(topic, turn) for topic in held for turn in range(2)]
    job.listen(Event("train", f"{len(learned)} queries, {len(groups)} groups of {own.group}"))
    trainer = _trainer_class()(
        model=learner.model,
        args=job.arguments(
            remove_unused_columns=False,
            prediction_loss_only=True,
            label_names=["targets"],
            max_grad_norm=1.0,
            dataloader_drop_last=True,
        ),
        train_dataset=[{"group": group} for group in groups],
        eval_dataset=[{"group": group} for group in measured] or None,
        data_collator=learner.padding,
    )
    trainer.own, trainer.scored = own, learner.scored
    facts = {"queries": len(learned), "held_out": len(held), "groups": len(groups)}
    return Built(trainer, learner.save, learner.adapts, bool(held), facts)


@dataclass(frozen=True, slots=True)
class _Learner:
    """What is trained, and how a topic becomes a group of it (topic, seed), groups a batch, a batch the groups' scores."""

    model: Any
    group: Callable[[Judged, int], Any]
    padding: Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]
    scored: Callable[[Any, Mapping[str, Any]], list[torch.Tensor]]
    save: Callable[[Path], None]
    adapts: str | None = None


def _prompted(config: TrainConfig, own: RerankerSettings) -> _Learner:
    tuned = load_tuned(config)
    encoder = _Encoder(tuned, own, config.base_model)
    padding = _Padding(tuned.loaded.tokenizer.pad_token_id or 0)
    return _Learner(tuned.model, encoder.group, padding, _prompted_scores, tuned.save, tuned.adapts)


def _pairs(config: TrainConfig, own: RerankerSettings) -> _Learner:
    encoder = PairEncoder(config, own.tokens)
    return _Learner(
        encoder.network,
        lambda topic, seed: encoder.group(topic, _chosen(topic, own.group, seed)),
        encoder.padding,
        pair_scores,
        encoder.save,
    )


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
        places = _chosen(topic, own.group, seed)
        notes = scores_beside(topic.ranking, len(hits), scale=own.scale, control=own.scores, seed=seed)
        targets = tuple(float(topic.grades[i]) for i in places)
        beside = [notes[i] for i in places]
        query = topic.ranking.query
        if own.form == "first":
            frame = first_prompt(query, ())
            shown = fitted(self, [hits[i] for i in places], own.tokens, frame=frame, reply=1, beside=beside)
            ids = self._coder.prompt([Message("user", first_prompt(query, shown))])
            letters = tuple(self._token(letter) for letter in _LETTERS[: len(places)])
            return _Group((tuple(ids),), targets, tuple((letter,) for letter in letters))
        if own.form == "yes-no":
            asked = (self._token("yes"), self._token("no"))
            frame = yes_no_prompt(query, "")
            shown = [self._text(hits[i], frame, note) for i, note in zip(places, beside, strict=True)]
            prompts = [yes_no_prompt(query, text) for text in shown]
            sequences = tuple(tuple(self._coder.prompt([Message("user", prompt)])) for prompt in prompts)
            return _Group(sequences, targets, (asked,) * len(places))
        pairs = [likelihood_prompt(query, self._text(hits[i], query.text)) for i in places]
        forced = tuple(self._coder.reply([pairs[0][0]], pairs[0][1]))
        sequences = tuple((*self._coder.prompt([message]), *forced) for message, _ in pairs)
        return _Group(sequences, targets, forced=len(forced))

    def _text(self, hit: Hit, frame: str, beside: str = "") -> str:
        (text,) = fitted(self, [hit], self._own.tokens, frame=frame, reply=1, beside=[beside])
        return text

    def _token(self, text: str) -> int:
        ids = self._coder.plain(text)
        if len(ids) != 1:
            raise BadInput(
                f"{self.model}: {text!r} is {len(ids)} tokens of this model; train another form than {self._own.form}"
            )
        return ids[0]


def _chosen(topic: Judged, size: int, seed: int) -> list[int]:
    """Places of a group of a topic's candidates."""
    draw = random.Random(digest([topic.ranking.query.text, seed]))  # noqa: S311
    least = min(topic.grades)
    best = [i for i, grade in enumerate(topic.grades) if grade > least]
    rest = [i for i, grade in enumerate(topic.grades) if grade == least]
    half = max(size // 2, size - len(rest))
    some = draw.sample(best, min(half, len(best)))
    some += draw.sample(rest, min(size - len(some), len(rest)))
    # half of the groups stand in the first stage's order, as at inference, half in no order
    return sorted(some) if draw.random() < 0.5 else draw.sample(some, len(some))


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
        scored: Callable[[Any, Mapping[str, Any]], list[torch.Tensor]]

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **more: Any) -> Any:
            """The mean of the groups' losses."""
            scores = self.scored(model, inputs)
            targets = inputs["targets"].split([len(each) for each in scores])
            lossy = LOSSES[self.own.loss]
            losses = [lossy(each / self.own.temperature, its) for each, its in zip(scores, targets, strict=True)]
            loss = torch.stack(losses).mean()
            return (loss, {"loss": loss}) if return_outputs else loss

    return RankingTrainer


def _prompted_scores(model: Any, inputs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The scores (n,) of each group, off the logits after its sequences."""
    ids, mask, groups = inputs["input_ids"], inputs["attention_mask"], inputs["groups"]
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        use_cache=False,
        logits_to_keep=1 + max(group.forced for group in groups),
    ).logits.float()
    rows = [len(group.sequences) for group in groups]
    parts = zip(logits.split(rows), ids.split(rows), groups, strict=True)
    return [_scores(part, tokens, group) for part, tokens, group in parts]


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
