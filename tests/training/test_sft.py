from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.recipes import longer_replies
from fakes.shell import Shell, failure

from litrag.core.errors import BadInput, UnknownName
from litrag.core.events import Event
from litrag.core.types import Message
from litrag.models.local import LocalBackend
from litrag.models.local_prompts import PromptCoder
from litrag.models.request import ModelRequest
from litrag.training.config import TrainConfig, train_config
from litrag.training.kit import Built, Job, train
from litrag.training.sft import Example, encoded, sft


def config(base: Path | str, examples: Path, **more: Any) -> TrainConfig:
    values = {"recipe": "sft", "max_steps": 4, "batch_size": 4, "device": "cpu"}
    return train_config(base=str(base), dataset=str(examples), **{**values, **more})


async def scored(model: str, prompt: str, completion: str) -> list[float]:
    request = ModelRequest("score", model, "t", messages=(Message("user", prompt),), continuations=(completion,))
    return list((await LocalBackend().send(request)).scores[0].logprobs)


def trainers_logprobs(built: Built, prompt: str, completion: str) -> list[float]:
    """Of the model as it stands in the trainer, by a plain forward pass over the trainer's own encoding."""
    import torch

    model: Any = built.trainer.model
    tokenizer = built.trainer.processing_class or _tokenizer(built)
    ids = encoded(Example((Message("user", prompt),), completion), PromptCoder(tokenizer), tokenizer.eos_token_id)
    tokens = torch.tensor([ids["input_ids"]])
    with torch.no_grad():
        logits = model.eval()(input_ids=tokens).logits[0].log_softmax(-1)
    learned = [i for i, label in enumerate(ids["labels"]) if label >= 0][:-1]  # but the end
    return [float(logits[i - 1, ids["labels"][i]]) for i in learned]


def _tokenizer(built: Built) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(built.trainer.model.config.name_or_path)


@pytest.mark.models
async def test_twenty_steps_lower_the_held_out_loss_and_the_adapter_gives_the_trainers_logprobs(
    examples: Path, tmp_path: Path, home: Path
) -> None:
    kept: list[Built] = []

    def watched(job: Job) -> Built:
        kept.append(sft(job))
        return kept[0]

    settings = config("local/SmolLM2-135M-Instruct", examples, max_steps=20, held_out=0.3)
    result = train(settings, tmp_path / "run", recipe=watched)
    assert result.loss_before is not None
    assert result.loss_after is not None
    assert result.loss_after < 0.7 * result.loss_before
    assert result.model == f"local/SmolLM2-135M-Instruct+{tmp_path / 'run' / 'model'}"
    prompt, completion = "What do dogs smell? Case 77.", "Mushrooms under leaves."
    theirs = trainers_logprobs(kept[0], prompt, completion)
    ours = await scored(result.model, prompt, completion)
    before = await scored("local/SmolLM2-135M-Instruct", prompt, completion)
    assert len(ours) == len(theirs) > 3
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < 1e-4
    assert sum(ours) > sum(before) + 1, "and it is not the base that answers"


@pytest.mark.parametrize("tuning", ["full", "lora"])
async def test_what_is_trained_loads_by_its_string(
    tiny_chat: Path, examples: Path, tmp_path: Path, tuning: str
) -> None:
    result = train(config(tiny_chat, examples, tuning=tuning, learning_rate=1e-2), tmp_path / "run")
    assert result.kind == ("full" if tuning == "full" else "adapter")
    base = await scored(f"local/{tiny_chat}", "What do dogs smell?", "Mushrooms")
    tuned = await scored(result.model, "What do dogs smell?", "Mushrooms")
    assert len(base) == len(tuned)
    assert base != tuned


async def test_an_embedder_is_trained_by_the_same_kit(tiny_embedder: Path, tmp_path: Path) -> None:
    """sentence-transformers' trainer is a Trainer, too; its result is a model string of the role embed."""
    datasets = pytest.importorskip("datasets")
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    def recipe(job: Job) -> Built:
        model = SentenceTransformer(str(tiny_embedder), device="cpu")
        pairs = {"anchor": ["the cat", "a query", "the dog"] * 4, "positive": ["the mat", "is searched", "the log"] * 4}
        trainer = SentenceTransformerTrainer(
            model=model,
            args=job.arguments(SentenceTransformerTrainingArguments),
            train_dataset=datasets.Dataset.from_dict(pairs),
            loss=MultipleNegativesRankingLoss(model),
        )
        return Built(trainer, lambda folder: model.save(str(folder)))

    settings = config(tiny_embedder, tmp_path / "none", recipe="pairs", learning_rate=1e-2)
    result = train(settings, tmp_path / "run", recipe=recipe)
    requests = [
        ModelRequest("embed", name, "embed", texts=("the cat",)) for name in (f"local/{tiny_embedder}", result.model)
    ]
    base, tuned = [(await LocalBackend().send(request)).vectors for request in requests]
    assert base is not None
    assert tuned is not None
    assert base.shape == tuned.shape
    assert abs(base - tuned).max() > 1e-3


async def test_a_policy_is_trained_by_the_same_kit(tiny_chat: Path, tmp_path: Path) -> None:
    """TRL's GRPO: its arguments extend the Trainer's, its rewards are logged, its result loads."""
    pytest.importorskip("trl")
    settings = config(tiny_chat, tmp_path / "none", recipe="longer", max_steps=2, learning_rate=1e-1)
    result = train(settings, tmp_path / "run", recipe=longer_replies(tiny_chat))
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in metrics] == [1, 2]
    assert "reward" in metrics[0]
    assert await scored(result.model, "the cat", "sat") != await scored(f"local/{tiny_chat}", "the cat", "sat")


def test_only_the_completion_and_its_end_are_learned(tiny_chat: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_chat)
    ids = encoded(Example((Message("user", "the cat"),), " sat"), PromptCoder(tokenizer), tokenizer.eos_token_id)
    learned = [label for label in ids["labels"] if label >= 0]
    assert tokenizer.decode(learned) == " sat" + tokenizer.eos_token
    prompt = tokenizer.decode([i for i, label in zip(ids["input_ids"], ids["labels"], strict=True) if label < 0])
    assert prompt == "<user>the cat[end]<assistant>"


def test_bad_lines_are_told_and_left_out_and_long_ones_counted(tiny_chat: Path, tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    good = {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "a"},
        ]
    }
    lines = [
        "not json",
        "[1]",
        '{"prompt": "x"}',
        json.dumps({"prompt": "x", "completion": "y " * 200}),
        json.dumps(good),
    ]
    path.write_text("\n".join(lines) + "\n")
    events: list[Event] = []
    result = train(
        config(tiny_chat, path, max_length=64, held_out=0.0, max_steps=1), tmp_path / "run", listen=events.append
    )
    assert result.facts == {"learned": 1, "held_out": 0, "too_long": 1}
    assert (result.loss_before, result.loss_after) == (None, None)
    warnings = [event.message for event in events if event.kind == "warning"]
    assert warnings == [
        "mixed.jsonl, line 1: no JSON; left out",
        "mixed.jsonl, line 2: no record; left out",
        "mixed.jsonl, line 3: no prompt and completion; left out",
        "1 examples longer than 64 tokens are left out",
    ]


def test_what_cannot_be_trained_is_one_line(
    tiny_chat: Path, tiny_embedder: Path, examples: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="gone.jsonl: no such file"):
        train(config(tiny_chat, tmp_path / "gone.jsonl"), tmp_path / "a")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(BadInput, match="holds no example"):
        train(config(tiny_chat, tmp_path / "empty.jsonl"), tmp_path / "b")
    with pytest.raises(BadInput, match="is no language model"):
        train(config(tiny_embedder, examples), tmp_path / "c")
    with pytest.raises(BadInput, match=r"has no modules \['wq'\]; it has: .*q_proj"):
        train(config(tiny_chat, examples, lora_targets=("wq",)), tmp_path / "d")
    with pytest.raises(BadInput, match="training option max_steps: Input should be greater"):
        config(tiny_chat, examples, max_steps=0)
    with pytest.raises(UnknownName, match="no recipe named 'sftt'; there is: .*dpo, .*sft"):
        train(config(tiny_chat, examples, recipe="sftt"), tmp_path / "e")


def test_the_command_trains_resumes_and_tells_the_model(
    tiny_chat: Path, examples: Path, tmp_path: Path, home: Path
) -> None:
    litrag = Shell(tmp_path, home)
    command = (
        "train",
        "sft",
        "--dataset",
        str(examples),
        "--base",
        f"local/{tiny_chat}",
        "--max-steps",
        "3",
        "-o",
        "mine",
    )
    code, out, err = litrag(*command)
    assert code == 0, err
    assert out.splitlines()[-1] == f"model: local/{tiny_chat}+{tmp_path / 'mine' / 'model'}"
    assert "held-out loss" in out
    assert "[train] 3/3 loss" in err
    assert "go on with it by --resume" in failure(litrag(*command), 2)
    code, out, _ = litrag("--json", *command, "--resume")
    assert code == 0
    assert json.loads(out)["model"].endswith("/mine/model")
    assert "no recipe named 'stf'" in failure(litrag("train", "stf", "--dataset", "x"), 2)
