"""The language model that a recipe trains: loaded from a model string, all weights or a LoRA adapter (Hu et al., ICLR 2022)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.core.errors import BadInput
from litrag.models.local_loading import CausalModel, load_causal
from litrag.models.weights import resolve_local
from litrag.training.config import TrainConfig
from litrag.training.kit import needed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Tuned", "load_tuned", "lora_config"]

_ATTENTION: Final = (("q_proj", "v_proj"), ("query", "value"), ("c_attn",), ("query_key_value",))


@dataclass(frozen=True, slots=True)
class Tuned:
    """A model in training. `adapts` is the base's model string where an adapter is trained, None where all weights are."""

    model: PreTrainedModel
    loaded: CausalModel
    adapts: str | None

    @property
    def save(self) -> Callable[[Path], None]:
        """Saves what was trained: the adapter alone, or model and tokenizer."""

        def saved(folder: Path) -> None:
            if self.adapts is None:
                self.model.save_pretrained(folder)
                self.loaded.tokenizer.save_pretrained(folder)
            else:  # a trainer may have put a second adapter beside it, as its reference
                self.model.save_pretrained(folder, selected_adapters=["default"])

        return saved


def load_tuned(config: TrainConfig, *, goes_on: bool = False) -> Tuned:
    """Loads the base for training; an adapter that it has is trained on where the recipe `goes_on` with one. Raises BadInput (a quantized
    file; an adapter upon an adapter; no such module), ModelUnavailable, MissingExtra."""
    base = config.base_model
    place = resolve_local(base)
    if place.kind != "generation":
        raise BadInput(f"{base} is no language model; this recipe trains one")
    adapter = place.adapter if goes_on and config.tuning == "lora" else None
    if adapter is not None:
        base, place = base.rpartition("+")[0], replace(place, adapter=None)
    if config.tuning == "lora" and place.adapter is not None:
        raise BadInput(f"{base} has an adapter; train all weights (tuning full), or start from its base")
    loaded = load_causal(base, place)
    if getattr(loaded.model, "hf_quantizer", None) is not None:
        raise BadInput(
            f"{base} is quantized, which cannot be trained; give a folder of full weights, or `litrag setup` one"
        )
    model: Any = loaded.model
    if config.tuning == "full":
        return Tuned(model.requires_grad_(True).train(), loaded, None)
    if config.tuning == "head":
        raise BadInput(f"recipe {config.recipe} trains no head; use tuning lora or full")
    if adapter is not None:
        peft = needed("peft")
        return Tuned(peft.PeftModel.from_pretrained(model, str(adapter), is_trainable=True).train(), loaded, base)
    try:
        adapted = needed("peft").get_peft_model(model, lora_config(config, base, model, task_type="CAUSAL_LM"))
    except ValueError as error:
        raise _no_modules(config, base, model) from error
    return Tuned(adapted.train(), loaded, base)


def lora_config(config: TrainConfig, base: str, model: Any, **more: Any) -> Any:
    """PEFT's config for a model. Raises BadInput where no module has a known name, MissingExtra."""
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    targets = config.lora_targets or next((group for group in _ATTENTION if set(group) <= names), ())
    if not targets:
        raise _no_modules(config, base, model)
    return needed("peft").LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(targets),
        **more,
    )


def _no_modules(config: TrainConfig, base: str, model: Any) -> BadInput:
    names = sorted({name.rpartition(".")[2] for name, module in model.named_modules() if hasattr(module, "weight")})
    wanted = list(config.lora_targets) or "that are known to be attention (lora_targets)"
    return BadInput(f"{base} has no modules {wanted}; it has: {', '.join(names)}")
