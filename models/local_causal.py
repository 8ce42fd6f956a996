"""A causal language model in process: generation, next-token log-probabilities and forced scoring, batched.

Prompts are padded on the left with explicit masks and positions, so that a row's result does not depend on its batch
(within 1e-4 in float32). A continuation is tokenised as `PromptCoder.reply` says, without special tokens. JSON schemas are
not enforced here: the reply's parser repairs. Sampling is at temperature alone (no top-k, no top-p) and reproducible
from the request's seed."""

from __future__ import annotations

import contextlib
import hashlib
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from litrag.core.errors import BadInput, PromptTooLong
from litrag.core.protocols import TokenScores, Usage
from litrag.models.local_prompts import PromptCoder
from litrag.models.local_worker import BatchLimits, Row
from litrag.models.request import ModelReply, ModelRequest

if TYPE_CHECKING:
    import torch

    from litrag.models.local_loading import CausalModel

__all__ = ["CausalRow", "CausalRunner"]


@dataclass(slots=True)
class CausalRow(Row):
    """`prompt` conditions, `forced` is scored after it; `sample` draws the random numbers of one reply, None for greedy
    ones."""

    prompt: list[int] = field(default_factory=list)
    forced: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    stop: tuple[str, ...] = ()
    most: int = 0
    temperature: float = 0.0
    sample: random.Random | None = None
    out: list[int] = field(default_factory=list)
    text: str = ""
    finish: str = ""
    logprobs: list[float] = field(default_factory=list)


_Finished: TypeAlias = Callable[[CausalRow], None]


class CausalRunner:
    """Implements `Runner`. `turn` is held while the model computes: on a CPU, models take turns instead of fighting for
    cores."""

    def __init__(
        self, loaded: CausalModel, limits: BatchLimits, turn: contextlib.AbstractContextManager[object]
    ) -> None:
        self._loaded, self._limits, self._turn = loaded, limits, turn
        self._model: Any = loaded.model
        self._tokenizer: Any = loaded.tokenizer
        self._coder = PromptCoder(loaded.tokenizer)

    @property
    def limits(self) -> BatchLimits:
        """What one batch may hold."""
        return self._limits

    @property
    def vocabulary(self) -> int:
        """Values a kept position."""
        return int(self._model.config.get_text_config().vocab_size)

    def rows(self, request: ModelRequest) -> Sequence[CausalRow]:
        """A row a reply (one for greedy ones), a continuation, or a prompt. Raises BadInput."""
        prompt = self._coder.prompt(request.messages)
        if request.operation == "generate":
            return self._generation_rows(request, prompt)
        if request.operation == "score":
            return [self._scoring_row(request, prompt, text) for text in request.continuations]
        self._fits(request, len(prompt))
        asked = [self._single(request, token) for token in request.tokens]
        return [CausalRow("next", len(prompt), kept=1, prompt=prompt, asked=asked)]

    def run(self, rows: Sequence[CausalRow], finished: _Finished) -> None:
        """Computes rows of one key."""
        import torch

        with torch.inference_mode():
            if rows[0].key == "generate":
                self._generate(rows, finished)
            elif rows[0].key == "score":
                self._score(rows, finished)
            else:
                self._next(rows, finished)

    def reply(self, request: ModelRequest, rows: Sequence[CausalRow]) -> ModelReply:
        """Texts with finish reasons, log-probabilities by token, or scores; usage counts the tokens of each."""
        if request.operation == "generate":
            all_rows = list(rows) * (request.n // len(rows))
            usage = Usage(len(rows[0].prompt), sum(len(row.out) for row in all_rows))
            return ModelReply(
                usage, texts=tuple(row.text for row in all_rows), finish=tuple(row.finish for row in all_rows)
            )
        if request.operation == "score":
            scores = tuple(
                TokenScores(tuple(self._tokenizer.decode([t]) for t in row.forced), tuple(row.logprobs)) for row in rows
            )
            return ModelReply(Usage(sum(len(row.prompt) + len(row.forced) for row in rows)), scores=scores)
        return ModelReply(Usage(len(rows[0].prompt)), logprobs=dict(zip(request.tokens, rows[0].logprobs, strict=True)))

    def _generation_rows(self, request: ModelRequest, prompt: list[int]) -> list[CausalRow]:
        if request.n < 1 or request.max_tokens < 1:
            raise BadInput(f"{request.model}: n ({request.n}) and max_tokens ({request.max_tokens}) must be at least 1")
        self._fits(request, len(prompt) + request.max_tokens)
        greedy = request.temperature <= 0.0
        return [
            CausalRow(
                "generate",
                len(prompt),
                room=len(prompt) + request.max_tokens,
                kept=1,
                prompt=prompt,
                stop=tuple(text for text in request.stop if text),
                most=request.max_tokens,
                temperature=request.temperature,
                sample=None if greedy else _numbers(request, i),
            )
            for i in range(1 if greedy else request.n)
        ]

    def _scoring_row(self, request: ModelRequest, prompt: list[int], text: str) -> CausalRow:
        forced = self._coder.reply(request.messages, text)
        self._fits(request, len(prompt) + len(forced))
        row = CausalRow("score", len(prompt) + len(forced) - 1, kept=len(forced), prompt=prompt, forced=forced)
        row.done = not forced
        return row

    def _single(self, request: ModelRequest, token: str) -> int:
        ids = self._coder.plain(token)
        if len(ids) != 1:
            pieces = [self._tokenizer.decode([i]) for i in ids]
            raise BadInput(
                f"{request.model}: {token!r} is {len(ids)} tokens of this model ({pieces}); ask for single tokens"
            )
        return int(ids[0])

    def _fits(self, request: ModelRequest, tokens: int) -> None:
        context = self._loaded.context
        if context is not None and tokens > context:
            raise PromptTooLong(
                f"{request.model}: {tokens} tokens do not fit the model's context of {context};"
                " shorten the input, or lower max_tokens"
            )

    def _forward(self, sequences: Sequence[Sequence[int]], kept: int, *, cached: bool) -> Any:
        """Pads on the left and runs the model; `.logits` holds the last `kept` positions of each row, `.mask` the
        attention mask."""
        import torch

        width = max(len(sequence) for sequence in sequences)
        pad = self._tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (width - len(s)) + list(s) for s in sequences], device=self._loaded.device)
        mask = torch.tensor([[0] * (width - len(s)) + [1] * len(s) for s in sequences], device=self._loaded.device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with self._turn:
            output = self._model(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=cached, logits_to_keep=kept
            )
        output.mask = mask
        return output

    def _score(self, rows: Sequence[CausalRow], finished: _Finished) -> None:
        if len({id(row.prompt) for row in rows}) < len(rows):
            self._score_shared(rows, finished)
            return
        kept = max(row.kept for row in rows)
        logits = self._forward([(row.prompt + row.forced)[:-1] for row in rows], kept, cached=False).logits
        for row, own in zip(rows, logits, strict=True):
            row.logprobs = _chosen(own[-len(row.forced) :], row.forced)
            finished(row)

    def _score_shared(self, rows: Sequence[CausalRow], finished: _Finished) -> None:
        """The same where rows have a prompt in common: each prompt is computed once."""
        import torch

        prompts = {id(row.prompt): row.prompt for row in rows}
        place = {name: i for i, name in enumerate(prompts)}
        output = self._forward(list(prompts.values()), 1, cached=True)
        cache = output.past_key_values
        mask, logits = self._selected([place[id(row.prompt)] for row in rows], cache, output.mask, output.logits)
        if width := max(len(row.forced) for row in rows) - 1:
            fed = [row.forced[:-1] for row in rows]
            ids = torch.tensor([[*f, *([0] * (width - len(f)))] for f in fed], device=self._loaded.device)
            own = torch.tensor([[1] * len(f) + [0] * (width - len(f)) for f in fed], device=self._loaded.device)
            mask = torch.cat([mask, own], dim=1)
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -width:]
            with self._turn:
                step = self._model(
                    input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
                )
            logits = torch.cat([logits, step.logits], dim=1)
        for row, values in zip(rows, logits, strict=True):
            row.logprobs = _chosen(values[: len(row.forced)], row.forced)
            finished(row)

    def _next(self, rows: Sequence[CausalRow], finished: _Finished) -> None:
        logits = self._forward([row.prompt for row in rows], 1, cached=False).logits
        for row, own in zip(rows, logits, strict=True):
            logprobs = own[-1].float().log_softmax(-1)
            row.logprobs = [float(logprobs[token]) for token in row.asked]
            finished(row)

    def _generate(self, rows: Sequence[CausalRow], finished: _Finished) -> None:
        for live, logits in self._decoding(rows):
            for row, token in zip(live, _choose(logits, live), strict=True):
                row.out.append(token)
                if self._ended(row):
                    finished(row)

    def _decoding(self, rows: Sequence[CausalRow]) -> Iterator[tuple[list[CausalRow], torch.Tensor]]:
        """The rows still open and the logits (rows, vocabulary) of their next token, step by step. Rows of one request
        share their prompt's computation; finished rows leave the batch."""
        import torch

        prompts = list({id(row.prompt): row.prompt for row in rows}.values())
        place = {id(prompt): i for i, prompt in enumerate(prompts)}
        output = self._forward(prompts, 1, cached=True)
        cache, mask, logits = output.past_key_values, output.mask, output.logits
        live, select = list(rows), [place[id(row.prompt)] for row in rows]
        mask, logits = self._selected(select, cache, mask, logits)
        while True:
            yield live, logits[:, -1].float()
            select = [i for i, row in enumerate(live) if not (row.finish or row.dropped)]
            if not select:
                return
            live = [live[i] for i in select]
            (mask,) = self._selected(select, cache, mask)
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
            ids = torch.tensor([[row.out[-1]] for row in live], device=self._loaded.device)
            positions = mask.sum(1, keepdim=True) - 1
            with self._turn:
                step = self._model(
                    input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
                )
            logits = step.logits

    def _selected(self, select: list[int], cache: Any, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Rows of the cache (in place) and of tensors, chosen or repeated."""
        if select == list(range(len(tensors[0]))):
            return tensors
        import torch

        index = torch.tensor(select, device=self._loaded.device)
        cache.batch_select_indices(index)
        return tuple(tensor[index] for tensor in tensors)

    def _ended(self, row: CausalRow) -> bool:
        """Sets text and finish reason once the reply is over: an end token or a stop string ("stop"), or its length
        ("length")."""
        if row.out[-1] in self._loaded.ends:
            row.text, row.finish = self._text(row.out[:-1]), "stop"
            return True
        if row.stop:
            tail = self._text(row.out[-(4 * max(map(len, row.stop)) + 4) :])
            whole = self._text(row.out) if any(text in tail for text in row.stop) else ""
            if found := [at for text in row.stop if (at := whole.find(text)) >= 0]:
                row.text, row.finish = whole[: min(found)], "stop"
                return True
        if len(row.out) >= row.most:
            row.text, row.finish = self._text(row.out), "length"
        return bool(row.finish)

    def _text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _numbers(request: ModelRequest, reply: int) -> random.Random:
    return random.Random(hashlib.sha256(f"{request.key}:{reply}".encode()).digest())  # noqa: S311


def _chosen(logits: torch.Tensor, tokens: list[int]) -> list[float]:
    """Log-probability of token i under row i of (tokens, vocabulary) logits."""
    import torch

    logits = logits.float()
    picked = logits.gather(1, torch.tensor(tokens, device=logits.device)[:, None])[:, 0]
    return [float(value) for value in picked - logits.logsumexp(-1)]


def _choose(logits: torch.Tensor, rows: Sequence[CausalRow]) -> list[int]:
    """The next token a row: the likeliest, or by inverse transform from the row's own random numbers."""
    import torch

    chosen = [int(token) for token in logits.argmax(-1)]
    sampled = [i for i, row in enumerate(rows) if row.sample is not None]
    if sampled:
        heat = torch.tensor([[rows[i].temperature] for i in sampled], device=logits.device)
        sums = (logits[sampled] / heat).softmax(-1).double().cumsum(-1)
        draws = [[row.sample.random() if row.sample else math.nan] for row in (rows[i] for i in sampled)]
        found = torch.searchsorted(
            sums, torch.tensor(draws, dtype=sums.dtype, device=logits.device) * sums[:, -1:], right=True
        )
        for i, token in zip(sampled, found[:, 0].clamp(max=logits.shape[-1] - 1), strict=True):
            chosen[i] = int(token)
    return chosen
