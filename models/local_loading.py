"""Loads local models with torch: threads set once, safetensors only, no network, float32 on the CPU."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litrag.core.errors import CannotWrite, MissingExtra, ModelUnavailable
from litrag.models.weights import LocalModelPath

if TYPE_CHECKING:
    import torch
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "CausalModel",
    "convert_gguf",
    "load_causal",
    "load_classifier",
    "load_cross_encoder",
    "load_embedder",
    "load_tokenizer",
    "pair_context",
    "prepare_torch",
]

_TOLD = 1_000_000  # a tokenizer that knows no limit tells a greater one


@dataclass(frozen=True, slots=True)
class CausalModel:
    """A loaded causal language model. `context` is the most tokens it takes, None where its configuration names no
    limit."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: torch.device
    context: int | None
    ends: frozenset[int]


@functools.cache
def prepare_torch() -> torch.device:
    """Imports torch, sets its threads once and returns the device: CUDA where there is one, else the CPU.

    Waiting OpenMP threads sleep (`OMP_WAIT_POLICY=PASSIVE`), because spinning ones cost a factor of ten on busy cores;
    the number of threads is `OMP_NUM_THREADS`, or the cores this process may use. Raises MissingExtra."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _needed("torch")
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        torch.set_num_threads(min(torch.get_num_threads(), usable))
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_causal(name: str, place: LocalModelPath) -> CausalModel:
    """Loads a language model and its adapter, merged. Raises MissingExtra, ModelUnavailable.

    A GGUF file is de-quantized; one that `litrag setup` fetched is converted to a float32 folder first, once."""
    device = prepare_torch()
    transformers = _needed("transformers")
    path = _converted(place.path)
    with _quiet(), _translated(name, path):
        where, options = _source(path)
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            where, dtype=_dtype(device), use_safetensors=True, **options
        )
        if place.adapter is not None:
            peft = _needed("peft")
            warnings.filterwarnings(
                "ignore", message="`is_gradient_checkpointing`", category=FutureWarning
            )  # peft's own
            model = peft.PeftModel.from_pretrained(model, str(place.adapter)).merge_and_unload()
        model = model.to(device).eval().requires_grad_(False)
    return CausalModel(name, model, tokenizer, device, _context(model.config), _ends(model, tokenizer))


def load_tokenizer(name: str, place: LocalModelPath) -> tuple[PreTrainedTokenizerBase, int | None]:
    """A model's tokenizer and context (of a cross-encoder that of a pair), without its weights. Raises MissingExtra, ModelUnavailable."""
    transformers = _needed("transformers")
    path = _converted(place.path)
    with _quiet(), _translated(name, path):
        where, options = _source(path)
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
        config = transformers.AutoConfig.from_pretrained(where, **options)
        return tokenizer, pair_context(tokenizer, config) if place.kind == "cross-encoder" else _context(config)


def pair_context(tokenizer: Any, config: Any) -> int | None:
    """The most tokens that a cross-encoder takes for query, document and the marks around them; None where nothing limits them. The
    tokenizer tells; where it does not, the positions do, less those that RoBERTa's kind keeps for padding."""
    positions, told = _context(config), int(tokenizer.model_max_length)
    if told <= (positions or _TOLD):
        return told
    return positions and positions - 1 - int(config.pad_token_id or 0)


def _context(config: Any) -> int | None:
    text = config.get_text_config()
    return getattr(text, "max_position_embeddings", None) or getattr(text, "n_positions", None)


def load_embedder(name: str, place: LocalModelPath) -> SentenceTransformer:
    """Loads an embedding model through sentence-transformers. Raises MissingExtra, ModelUnavailable."""
    device = prepare_torch()
    library = _needed("sentence_transformers")
    with _quiet(), _translated(name, place.path):
        model: SentenceTransformer = library.SentenceTransformer(
            str(place.path),
            device=str(device),
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": _dtype(device)},
        )
        if place.adapter is not None and (place.adapter / "adapter_config.json").is_file():
            _needed("peft")
            model.load_adapter(str(place.adapter))
        folder = place.adapter or place.path
        if (folder / "query_head.safetensors").is_file():
            from litrag.models.query_head import QueryHead

            model.append(QueryHead.load(folder).to(device))
        return model.eval().requires_grad_(False)


def load_cross_encoder(name: str, place: LocalModelPath) -> CrossEncoder:
    """Loads a cross-encoder through sentence-transformers; its scores are the raw logits. Raises MissingExtra, and ModelUnavailable, also
    for an adapter beside it."""
    device = prepare_torch()
    library = _needed("sentence_transformers")
    import torch

    if place.adapter is not None:
        raise ModelUnavailable(f"{name}: a cross-encoder takes no adapter; name its folder alone: local/{place.path}")
    with _quiet(), _translated(name, place.path):
        model: CrossEncoder = library.CrossEncoder(
            str(place.path),
            device=str(device),
            local_files_only=True,
            activation_fn=torch.nn.Identity(),
            model_kwargs={"use_safetensors": True, "dtype": _dtype(device)},
        )
        return model.eval().requires_grad_(False)


def load_classifier(name: str, place: LocalModelPath) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Loads an encoder with a head of one output, which is new where the encoder has none, to be trained as a cross-encoder. Raises MissingExtra,
    ModelUnavailable."""
    device = prepare_torch()
    transformers = _needed("transformers")
    import torch

    with _quiet(), _translated(name, place.path):
        tokenizer = transformers.AutoTokenizer.from_pretrained(place.path, local_files_only=True)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            place.path, num_labels=1, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    return model.to(device).train(), tokenizer


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Writes a GGUF model as a float32 transformers folder (model, tokenizer, configuration), which loads in a tenth of
    the time and can be trained. `config.json` is written last: it tells that the folder is whole. Raises CannotWrite,
    ModelUnavailable."""
    prepare_torch()
    transformers = _needed("transformers")
    import torch

    where, options = _source(gguf)
    with _quiet(), _translated(gguf.name, gguf):
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
        model = transformers.AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **options)
    with contextlib.suppress(AttributeError):
        del model.config.quantization_config
    model.hf_quantizer = None
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".converting-") as place, _quiet():
            tokenizer.save_pretrained(place)
            model.save_pretrained(place)
            for file in sorted(Path(place).iterdir(), key=lambda file: file.name == "config.json"):
                file.replace(folder / file.name)
    except OSError as error:
        raise CannotWrite(
            folder, error.strerror or str(error), remedy="free space, or set LITRAG_MODELS to a writable folder"
        ) from error


def _converted(path: Path) -> Path:
    if path.is_dir() or not (path.parent / "origin.json").is_file():
        return path
    if not (path.parent / "config.json").is_file():
        try:
            convert_gguf(path, path.parent)
        except CannotWrite:
            return path
    return path.parent


def _source(path: Path) -> tuple[str, dict[str, Any]]:
    if path.is_file():
        _needed("gguf")
        return str(path.parent), {"gguf_file": path.name, "local_files_only": True}
    return str(path), {"local_files_only": True}


def _dtype(device: torch.device) -> Any:
    import torch

    return torch.float32 if device.type == "cpu" else "auto"


def _ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    named = getattr(model.generation_config, "eos_token_id", None)
    ends = set(named if isinstance(named, list) else [named]) | {tokenizer.eos_token_id}
    return frozenset(int(end) for end in ends if isinstance(end, int))


def _needed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(module, "local") from error


@contextlib.contextmanager
def _translated(name: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        line = " ".join(str(error).split())[:300]
        raise ModelUnavailable(f"{name}: {path} cannot be loaded: {type(error).__name__}: {line}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Progress bars and advice of transformers go to nobody's terminal; its settings are restored."""
    logging = importlib.import_module("transformers.utils.logging")
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
