"""Recipes for tests of the training kit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litrag.training.kit import Built, Job, Recipe

__all__ = ["longer_replies"]


def longer_replies(base: Path) -> Recipe:
    """TRL's GRPO over the model in a folder; the longer a reply, the better."""

    def longer(completions: list[Any], **more: Any) -> list[float]:
        return [float(len(completion)) for completion in completions]

    def recipe(job: Job) -> Built:
        import datasets
        import trl
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base)
        args = job.arguments(trl.GRPOConfig, num_generations=4, max_completion_length=6, bf16=False)
        rows = datasets.Dataset.from_dict({"prompt": ["the cat", "the dog"] * 4})
        trainer = trl.GRPOTrainer(
            model=model, reward_funcs=longer, args=args, train_dataset=rows, processing_class=tokenizer
        )

        def save(folder: Path) -> None:
            trainer.model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

        return Built(trainer, save)

    return recipe
