"""Data sets by name (under LITRAG_DATA), by folder, or by a hub's id. Names are ids of `litrag eval --dataset`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from litrag.core import registry
from litrag.core.errors import EnvironmentFault, UnknownName
from litrag.core.paths import data_folder
from litrag.corpora.types import Dataset

__all__ = ["DATASETS", "load", "split_of"]

Loader = Callable[[Path, str], Dataset]

# name -> its folder under LITRAG_DATA and the function that reads such a folder
DATASETS: Final = {
    "scifact": ("scifact", "litrag.corpora.ranking:scifact"),
    "acl": ("acl", "litrag.corpora.ranking:acl"),
    "acl-keyphrases": ("acl", "litrag.corpora.ranking:acl_keyphrases"),
    "trec-dl": ("trec_dl", "litrag.corpora.ranking:trec_dl"),
    "trec-dl19": ("trec_dl", "litrag.corpora.ranking:trec_dl19"),
    "trec-dl20": ("trec_dl", "litrag.corpora.ranking:trec_dl20"),
    "hotpotqa": ("hotpotqa", "litrag.corpora.questions:hotpotqa"),
    "musique": ("musique", "litrag.corpora.questions:musique"),
    "2wiki": ("2wiki", "litrag.corpora.wiki:twowiki"),
    "canard": ("canard", "litrag.corpora.conversations:canard"),
    "canard-windows": ("canard", "litrag.corpora.conversations:canard_windows"),
    "canard-unanswered": ("canard", "litrag.corpora.conversations:canard_unanswered"),
    "scholarqa-multi": ("scholarqa_multi", "litrag.corpora.questions:scholarqa_multi"),
}
# a folder is known by a file in it
_LAYOUTS: Final = (
    ("citations.jsonl", "acl"),
    ("test.qrels.txt", "scifact"),
    ("dl19.qrels.txt", "trec-dl19"),
    ("dl20.qrels.txt", "trec-dl20"),
    ("questions.jsonl", "hotpotqa"),
    ("kag_100.jsonl", "musique"),
    ("dev.jsonl", "canard"),
    ("human_answers.jsonl", "scholarqa-multi"),
)


def load(spec: str) -> Dataset:
    """The data set of `NAME[:SPLIT]`, `FOLDER[:SPLIT]` or `hf:OWNER/NAME[:SPLIT]`; the split defaults to the set's own ("test" where
    it has an official one, else "all").

    `hotpotqa=hf:OWNER/NAME`, `2wiki=hf:…` and `musique=hf:…` are questions with their paragraphs. A folder is in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/<split>.tsv) or in that of a named set; `NAME=FOLDER` says which.
    Raises UnknownName, BadInput (files), EnvironmentFault (no LITRAG_DATA; no hub)."""
    body, split = split_of(spec)
    if body.startswith("hf:"):
        from litrag.corpora.beir import from_hub

        return from_hub(body.removeprefix("hf:"), split)
    name, _, where = body.partition("=")
    if where.startswith("hf:") and name in ("hotpotqa", "2wiki", "musique"):
        from litrag.corpora.questions import hub_questions

        return hub_questions(name, where.removeprefix("hf:"), split)
    if where and name in DATASETS:
        return _loader(name)(Path(where).expanduser(), split)
    if body in DATASETS:
        data = data_folder()
        if data is None:
            raise EnvironmentFault(f"data set {body}: set LITRAG_DATA to the folder that holds {DATASETS[body][0]}/")
        return _loader(body)(data / DATASETS[body][0], split)
    folder = Path(body).expanduser()
    if not folder.is_dir():
        raise UnknownName("data set", body, DATASETS, remedy="or name a folder in BEIR's layout, or hf:OWNER/NAME")
    return _of_folder(folder, split)


def split_of(spec: str) -> tuple[str, str]:
    """A spec's body and its split, "" where none is named. A split stands after the last colon; hf: and a drive letter are no names of
    data sets."""
    if Path(spec).expanduser().is_dir():
        return spec, ""
    body, colon, split = spec.rpartition(":")
    return (body, split) if colon and body not in ("", "hf") and "/" not in split else (spec, "")


def _of_folder(folder: Path, split: str) -> Dataset:
    from litrag.corpora.beir import beir, is_beir
    from litrag.corpora.files import found

    if is_beir(folder):
        return beir(folder, split)
    for file, name in _LAYOUTS:
        if (folder / file).is_file() or found(folder, file):
            return _loader(name)(folder, split)
    raise UnknownName(
        "data set", str(folder), DATASETS, remedy="its layout is none that litrag knows; say which: NAME=FOLDER"
    )


def _loader(name: str) -> Loader:
    loader: Loader = registry.find("data set", {key: target for key, (_, target) in DATASETS.items()}, name)
    return loader
