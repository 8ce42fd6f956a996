"""The folder of a training: config.json, versions.json, metrics.jsonl, steps/ (checkpoints), model/ (the artefact), training.json.

A checkpoint counts once its marker is written, which is last: a kill in the middle of writing one costs that one. metrics.jsonl holds a
step once, however often it was computed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from litrag.core.errors import BadInput, CannotWrite
from litrag.core.versions import versions
from litrag.exports.records import Record
from litrag.training.artefact import MODEL, Kind, placed
from litrag.training.config import TrainConfig

__all__ = ["Trained", "TrainingRun"]

_COMPLETE: Final = "complete"
_PACKAGES: Final = ("litrag", "torch", "transformers", "peft", "trl", "accelerate", "datasets", "sentence-transformers")


class Trained(Record):
    """training.json: what came out. `model` is the string that every role takes, or the path of a file, as it was at the end of the training; `base`, what
    an adapter adapts; `facts` are the recipe's own counts."""

    recipe: str
    model: str
    kind: Kind
    steps: int
    loss_before: float | None
    loss_after: float | None
    facts: dict[str, int]
    base: str = ""

    def placed(self, folder: Path) -> Self:
        """The same, its model called by the run folder that it lies in now."""
        return self.model_copy(update={"model": placed(self.model, self.kind, self.base, folder)})


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One training in its folder."""

    folder: Path
    config: TrainConfig

    @classmethod
    def begin(cls, folder: Path, config: TrainConfig, *, resume: bool = False) -> Self:
        """A new run, or one that goes on. Raises BadInput where the folder holds another training, other files, or one that nobody
        asked to resume; CannotWrite."""
        run = cls(folder.absolute(), config)
        text = config.model_dump_json(indent=1) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "config.json").is_file():
                if any(folder.iterdir()):
                    raise BadInput(f"{folder} holds other files; choose an empty or new folder with -o")
                run.write("config.json", text)
                run.write("versions.json", json.dumps(versions(_PACKAGES), indent=1) + "\n")
                return run
            old = (folder / "config.json").read_text(encoding="utf-8")
        except OSError as error:
            raise CannotWrite(folder, error.strerror or str(error)) from error
        if not resume:
            raise BadInput(f"{folder} holds a training; go on with it by --resume, or choose another folder with -o")
        if old != text:
            raise BadInput(f"{folder} holds another training ({_changed(old, text)}); choose another folder with -o")
        return run

    @property
    def steps(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "steps"

    @property
    def model(self) -> Path:
        """The folder of the artefact."""
        return self.folder / MODEL

    @property
    def trained(self) -> Trained | None:
        """What came out, once the training is finished; its model is called by where the folder is now."""
        file = self.folder / "training.json"
        if not file.is_file():
            return None
        return Trained.model_validate_json(file.read_text(encoding="utf-8")).placed(self.folder)

    def checkpoint(self) -> Path | None:
        """The last complete checkpoint. Incomplete ones are deleted, and metrics of steps that will be computed again."""
        found: dict[int, Path] = {}
        for path in self.steps.glob("checkpoint-*"):
            if (path / _COMPLETE).is_file():
                found[int(path.name.rpartition("-")[2])] = path
            else:
                shutil.rmtree(path, ignore_errors=True)
        last = max(found, default=0)
        rows = [row for row in self.metrics() if row["step"] <= last] if found else []
        self.write("metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return found.get(last)

    def mark(self, step: int) -> None:
        """The checkpoint of a step is whole."""
        (self.steps / f"checkpoint-{step}" / _COMPLETE).touch()

    def log(self, row: Mapping[str, float]) -> None:
        """Appends a row of metrics, which has a "step". Raises CannotWrite."""
        try:
            with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(dict(row)) + "\n")
        except OSError as error:
            raise CannotWrite(self.folder, error.strerror or str(error)) from error

    def metrics(self) -> list[dict[str, float]]:
        """All rows of metrics.jsonl but a torn last one."""
        file = self.folder / "metrics.jsonl"
        lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.is_file() else []
        return [json.loads(line) for line in lines]

    def write(self, name: str, text: str) -> None:
        """Writes a file at once or not at all. Raises CannotWrite."""
        part = self.folder / f".{name}.part"
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(self.folder / name)
        except OSError as error:
            raise CannotWrite(self.folder, error.strerror or str(error)) from error

    def finish(self, trained: Trained) -> Trained:
        """Writes training.json, which ends the training, and deletes the checkpoints: they are of no more use."""
        self.write("training.json", trained.model_dump_json(indent=1) + "\n")
        shutil.rmtree(self.steps, ignore_errors=True)
        return trained


def _changed(old: str, new: str) -> str:
    try:
        before, after = json.loads(old), json.loads(new)
    except ValueError:
        return "its config.json is damaged"
    names = [name for name in after if before.get(name) != after[name]]
    return ", ".join(f"{name} was {before.get(name)!r}" for name in names) or "other settings"
