"""queries.jsonl: one line a system and topic, written in a fixed order as soon as all before it are there, so that a killed eval
goes on where it was and ends with the same file. Wall clock is not reproducible and stands apart, in seconds.jsonl."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from litrag.core.errors import BadInput, CannotWrite

__all__ = ["CONFIG", "QUERIES", "SECONDS", "Answer", "Journal", "Line"]

CONFIG: Final = "config.json"
QUERIES: Final = "queries.jsonl"
SECONDS: Final = "seconds.jsonl"
_COUNTS: Final = ("searches", "calls", "prompt_tokens", "completion_tokens")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system did with one topic. `metrics`: one value a name; `counts`: searches, calls, prompt_tokens, completion_tokens;
    `details` is whatever the eval wants to keep (JSON); `seconds` on the wall."""

    metrics: Mapping[str, float]
    counts: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One answer in its place."""

    system: str
    topic: str
    answer: Answer


class Journal:
    """The answers of one eval in its folder. A context manager; opening cuts a torn last line off.

    Raises BadInput where the folder holds another eval, or one that nobody asked to resume; CannotWrite."""

    def __init__(self, folder: Path, config: Mapping[str, Any], *, resume: bool = False) -> None:
        self.folder = folder
        text = json.dumps(config, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        self._begin(text, resume=resume)
        self.lines = self._read()
        self._queries = (folder / QUERIES).open("a", encoding="utf-8", newline="\n")
        self._seconds = (folder / SECONDS).open("a", encoding="utf-8", newline="\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queries.close()
        self._seconds.close()

    def write(self, line: Line) -> None:
        """Appends a line. It is with the operating system when this returns, so it outlives a killed process."""
        answer = line.answer
        kept = {
            "system": line.system,
            "topic": line.topic,
            "metrics": dict(answer.metrics),
            "counts": {name: answer.counts.get(name, 0) for name in _COUNTS},
            **({"details": dict(answer.details)} if answer.details else {}),
        }
        try:
            self._seconds.write(json.dumps([line.system, line.topic, round(answer.seconds, 6)]) + "\n")
            self._seconds.flush()  # first: a line of the journal always has its seconds
            self._queries.write(json.dumps(kept, ensure_ascii=False, allow_nan=False) + "\n")
            self._queries.flush()
        except OSError as error:
            raise CannotWrite(self.folder, error.strerror or str(error)) from error
        self.lines[line.system, line.topic] = answer

    def _begin(self, text: str, *, resume: bool) -> None:
        config = self.folder / CONFIG
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not config.is_file():
                if any(self.folder.iterdir()):
                    raise BadInput(f"{self.folder} holds other files; choose an empty or new folder with -o")
                config.write_text(text, encoding="utf-8")
                return
            old = config.read_text(encoding="utf-8")
        except OSError as error:
            raise CannotWrite(self.folder, error.strerror or str(error)) from error
        if not resume:
            raise BadInput(f"{self.folder} holds an eval; go on with it by --resume, or choose another folder with -o")
        if old != text:
            raise BadInput(f"{self.folder} holds another eval ({_changed(old, text)}); choose another folder with -o")

    def _read(self) -> dict[tuple[str, str], Answer]:
        seconds = {(row[0], row[1]): row[2] for row in _whole_lines(self.folder / SECONDS)}
        lines = {}
        for row in _whole_lines(self.folder / QUERIES):
            key = (row["system"], row["topic"])
            lines[key] = Answer(row["metrics"], row["counts"], row.get("details", {}), seconds.get(key, 0.0))
        return lines


def _whole_lines(path: Path) -> list[Any]:
    """The lines of a file, which loses what a kill left of its last one."""
    if not path.is_file():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise BadInput(f"{path} is damaged ({error}); choose another folder with -o") from error


def _changed(old: str, new: str) -> str:
    try:
        before, after = json.loads(old), json.loads(new)
        names = [name for name in after if before.get(name) != after[name]]
    except (ValueError, AttributeError):
        return "its config.json is damaged"
    return "other " + ", ".join(names or ["settings"])
