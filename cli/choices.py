"""What may stand behind an option or argument, for shell completion. Read from folders and from tables that load nothing heavy; names whose own table would are
written here once more, and a test holds that both are the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final, TypeAlias

from litrag.core.paths import data_folder, libraries_folder, models_folder

__all__ = [
    "CLOSED",
    "SPLITS",
    "WORDS",
    "closed",
    "datasets",
    "eval_methods",
    "evals",
    "examples_to_train",
    "exports",
    "graphs",
    "libraries",
    "library_names",
    "models",
    "paths",
    "recipes",
    "rerankers",
    "rewriters",
    "runs",
    "sources",
    "styles",
    "weights",
]

Choices: TypeAlias = Iterator[tuple[str, str]]  # values, each with a line about it
WORDS: ContextVar[tuple[str, ...]] = ContextVar(
    "litrag_words", default=()
)  # those before the cursor; typer parses none behind an open option
_MOST: Final = 300  # entries of a folder that are offered

# options whose choices are few and fixed
CLOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "profile": ("local", "api", "server"),
    "agent": ("none", "papers", "react"),
    "ask agent": ("entity", "frugal", "react", "self-ask", "ircot", "none"),
    "stop": ("score-drop", "nothing-new", "covered", "agreement"),
    "writer": ("auto", "extractive", "generate"),
    "unsupported": ("mark", "drop", "keep"),
    "retriever": ("auto", "bm25"),
    "format": ("md", "tex", "docx", "html", "bib", "ris", "csl"),
    "search format": ("table", "jsonl", "trec", "bib"),
    "rerank format": ("table", "jsonl", "trec"),
    "style": ("author-year", "numeric"),
    "scores": ("raw", "minmax", "z", "rank", "none"),
    "order": ("keep", "shuffled"),
    "graph": ("semantic-scholar", "openalex"),
    "tuning": ("lora", "full", "head"),
    "device": ("auto", "cpu"),
    "measure": ("nDCG@10", "nDCG@3", "R@20", "R@100", "RR", "AP", "P@10"),
}
_HALVES: Final = ("train", "test", "all")
SPLITS: Final[Mapping[str, tuple[str, ...]]] = {
    "scifact": ("train", "test", "new"),
    "acl": ("train", "test", "new", "all"),
    "acl-keyphrases": ("train", "test", "new", "all"),
    "hotpotqa": (*_HALVES, "bridge", "comparison"),
    **dict.fromkeys(("musique", "2wiki", "canard", "canard-windows", "canard-unanswered", "scholarqa-multi"), _HALVES),
}
_HINTS: Final = {
    "local/": "weights on this machine: a folder, a .gguf file, an id of the hub that was fetched",
    "recorded/": "a file of recorded replies",
    "ollama/": "a model that Ollama serves here",
    "hosted_vllm/": "a server of one's own, with --api-base",
    "openai/": "an API (OPENAI_API_KEY), or a server that talks like it with --api-base",
    "anthropic/": "an API (ANTHROPIC_API_KEY)",
    "gemini/": "an API (GEMINI_API_KEY)",
}


def closed(name: str) -> Callable[[], Choices]:
    """The choices of a row of CLOSED."""
    return lambda: ((value, "") for value in CLOSED[name])


def runs() -> Choices:
    """Ids of runs, newest first, each with its status."""
    from litrag.pipelines.runs import list_runs

    for run in list_runs():
        with suppress(Exception):  # a damaged run must not hide the others
            yield run.id, _line(f"{': '.join(run.state())}, {run.started:%Y-%m-%d %H:%M}")


def library_names() -> Choices:
    """Names of the libraries that the user added, damaged ones, too: they can be updated and removed."""
    for folder in _entries(libraries_folder()):
        file = folder / "manifest.json"
        if "@" in folder.name or not file.is_file():  # an @: a file that was named once
            continue
        try:
            papers: object = json.loads(file.read_bytes())["papers"]
        except (OSError, ValueError, KeyError, TypeError):
            papers = None
        yield folder.name, f"{papers:,} papers" if isinstance(papers, int) else "damaged"


def libraries(incomplete: str) -> Choices:
    """Names of libraries, and paths, which --library takes, too."""
    yield from library_names()
    yield from paths(incomplete)


def models(incomplete: str) -> Choices:
    """Model strings: weights that are here, what was trained in folders below this one, files of recorded replies, and how those of others begin."""
    yield from _local_models()
    yield from _trained_models()
    if incomplete.startswith(("local/", "recorded/")):
        prefix, _, rest = incomplete.partition("/")
        yield from ((f"{prefix}/{path}", text) for path, text in paths(rest))
    yield from ((start, text) for start, text in _HINTS.items() if start != incomplete)


def weights() -> Choices:
    """Weights that `litrag setup` fetches."""
    from litrag.models.known_weights import KNOWN_WEIGHTS

    for name, known in KNOWN_WEIGHTS.items():
        yield name, _line(f"{known.licence}; {'here' if (models_folder() / name).is_dir() else 'not fetched'}")


def sources() -> Choices:
    """Scholarly sources."""
    from litrag.retrievers.sources import KEYS, SOURCES

    for name, _ in _names("source", SOURCES):
        keys = KEYS.get(name, ())
        yield name, f"key: {keys[0]}" if keys else "no key"


def rerankers() -> Choices:
    """Ids of rerankers."""
    from litrag.rerankers import RERANKERS

    return _names("reranker", {"auto": "", **RERANKERS})


def rewriters() -> Choices:
    """Ids of rewriters."""
    from litrag.rewriters import REWRITERS

    return _names("rewriter", {"auto": "", **REWRITERS})


def evals() -> Choices:
    """What `litrag eval` measures."""
    from litrag.evals import EVALS

    return _names("eval", EVALS)


def eval_methods() -> Choices:
    """The methods of the eval that the command line names."""
    from litrag.evals.method_names import METHOD_NAMES

    task = next((word for word in WORDS.get()[1:] if word in METHOD_NAMES), "")
    yield from ((name, "") for name in METHOD_NAMES.get(task, ()))


def recipes() -> Choices:
    """What `litrag train` trains."""
    from litrag.training import RECIPES

    return _names("recipe", RECIPES)


def datasets(incomplete: str) -> Choices:
    """Data sets that are there; behind a colon their splits, behind a plus (`scifact:train+acl:train`) one more; and folders."""
    from litrag.corpora import DATASETS

    before = incomplete[: incomplete.rfind("+") + 1]
    body, colon, _ = incomplete[len(before) :].partition(":")
    data = data_folder()
    for name, (folder, _loader) in DATASETS.items():
        if data is None or not (data / folder).is_dir():
            continue
        if not colon:
            yield before + name, ", ".join(SPLITS.get(name, ()))
        elif name == body:
            yield from ((f"{before}{name}:{split}", "") for split in SPLITS.get(name, ()))
    yield from (row for row in paths(incomplete) if row[0].endswith("/"))


def examples_to_train(incomplete: str) -> Choices:
    """Data sets, and files of examples."""
    yield from datasets(incomplete)
    yield from (row for row in paths(incomplete) if not row[0].endswith("/"))


def exports(incomplete: str) -> Choices:
    """Formats of a review; after a comma one more."""
    before = incomplete[: incomplete.rfind(",") + 1]
    yield from ((before + name, "") for name in CLOSED["format"] if name not in before.split(","))


def styles(incomplete: str) -> Choices:
    """Citation styles: litrag's own, and files of others."""
    yield from closed("style")()
    yield from paths(incomplete, ".csl")


def graphs(incomplete: str) -> Choices:
    """Citation graphs: those on the web, and files."""
    yield from closed("graph")()
    yield from paths(incomplete)


def paths(incomplete: str, *endings: str) -> Choices:
    """Folders, each with a slash, and files with one of the endings (any, where none is given) that a path under way may become. Paths from "~" are the
    shell's own affair."""
    if incomplete.startswith("~"):
        return
    place = incomplete[: incomplete.rfind("/") + 1]
    start = incomplete[len(place) :]
    for path in _entries(Path(place or ".")):
        if not path.name.startswith(start) or (path.name.startswith(".") and not start.startswith(".")):
            continue
        if path.is_dir():
            yield f"{place}{path.name}/", ""
        elif not endings or path.name.endswith(endings):
            yield place + path.name, ""


def _entries(folder: Path) -> list[Path]:
    """What a folder holds and a terminal can show, by name; nothing where it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.isprintable())[:_MOST]
    except OSError:
        return []


def _names(kind: str, table: Mapping[str, str]) -> Choices:
    from litrag.core import registry

    return ((name, "") for name in registry.names(kind, table))


def _local_models() -> Choices:
    for folder in _entries(models_folder()):
        if any((folder / name).is_file() for name in ("config.json", "modules.json")) or any(folder.glob("*.gguf")):
            yield f"local/{folder.name}", "here"


def _trained_models() -> Choices:
    from litrag.training.artefact import placed

    for folder in _entries(Path()):
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads((folder / "training.json").read_bytes())
            name = placed(told["model"], told["kind"], told.get("base", ""), folder.absolute())
            yield name, _line(f"trained in {folder.name} ({told['recipe']})")


def _line(text: str) -> str:
    """One short line; square brackets would be read as marks of colour."""
    line = " ".join(text.split()).translate(str.maketrans("[]", "()"))
    return line if len(line) <= 60 else f"{line[:59]}…"
