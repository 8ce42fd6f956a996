"""What a review does with its vector options: MaxSim as the reranker, a Qdrant server for the libraries' vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.author import Author
from fakes.texts import ABSTRACT, TITLE, write_library

from litrag.core.errors import CapabilityMissing
from litrag.core.sync import run
from litrag.pipelines.api import Review, review_async

TEXT = f"{TITLE}\n\n{ABSTRACT}"
MODELS: dict[str, Any] = {"model": "scripted/m", "embed_model": "scripted/e"}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_library(tmp_path / "forest.jsonl")


def reviewed(library: Path, out: Path, author: Author, **options: Any) -> Review:
    values = {**MODELS, "papers": 12, **options}
    return run(review_async(TEXT, library=library, out=out, backend=author, **values))


def record(result: Review) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((result.folder / "run.json").read_text())
    return data


def embedded(author: Author) -> list[str]:
    return [text for r in author.requests if r.operation == "embed_tokens" for text in r.texts]


def test_a_review_is_reranked_by_maxsim_and_the_next_one_embeds_no_paper_again(library: Path, tmp_path: Path) -> None:
    author = Author()
    result = reviewed(library, tmp_path / "one", author, reranker="maxsim")
    assert result.stop_reason == "done"
    evidence = json.loads((result.folder / "evidence.json").read_text())["evidence"]
    assert all("maxsim" in {score["source"] for score in item["scores"]} for item in evidence)
    first = embedded(author)
    assert len(first) == len(set(first)) > 12
    author.requests.clear()
    reviewed(library, tmp_path / "two", author, reranker="maxsim")
    assert len(embedded(author)) == 1, "the query"


def test_an_embedder_without_token_vectors_is_refused_before_anything_is_spent(library: Path, tmp_path: Path) -> None:
    author = Author()
    with pytest.raises(CapabilityMissing, match="in-process embedding models"):
        reviewed(library, tmp_path / "out", author, reranker="maxsim", embed_model="openai/text-embedding-3-small")
    assert author.requests == []


def test_a_review_whose_qdrant_server_is_gone_goes_on_and_says_so(library: Path, tmp_path: Path) -> None:
    result = reviewed(library, tmp_path / "out", Author(), qdrant_url="http://127.0.0.1:9")
    assert result.stop_reason == "done"
    assert any("http://127.0.0.1:9 is out of reach" in warning for warning in record(result)["warnings"])
    assert record(result)["settings"]["qdrant_url"] == "http://127.0.0.1:9"
