"""`--qdrant-url` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.shell import Shell, failure
from fakes.texts import papers, write_library


@pytest.fixture
def litrag(tmp_path: Path, home: Path, tiny_embedder: Path) -> Shell:
    write_library(tmp_path / "forest.jsonl", papers()[:5])
    (tmp_path / "litrag.toml").write_text(f"embed_model = 'local/{tiny_embedder}'\n", encoding="utf-8")
    return Shell(tmp_path, home)


def test_a_server_out_of_reach_is_one_line_and_the_library_is_there_all_the_same(litrag: Shell) -> None:
    line = failure(litrag("library", "add", "forest.jsonl", "--qdrant-url", "http://127.0.0.1:9"), 3)
    assert "http://127.0.0.1:9 is out of reach" in line
    assert "correct --qdrant-url" in line
    assert "forest" in litrag("library", "list")[1]


def test_an_address_that_is_none_is_bad_input_before_anything_is_done(litrag: Shell) -> None:
    assert "write it as http://host:6333" in failure(
        litrag("library", "add", "forest.jsonl", "--qdrant-url", "here"), 2
    )
    assert "no libraries yet" in litrag("library", "list")[1]
