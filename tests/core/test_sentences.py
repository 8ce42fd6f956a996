"""Sentences by a SaT model: a folder in the form of the real ones, read by the real library."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from fakes.sat import write_sat
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.errors import BadInput
from litrag.core.sentences import sentences, splitting

TEXT = "dogs dig et al. and find ; cats sleep. and dream"


@pytest.fixture(scope="module")
def sat(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_sat(tmp_path_factory.mktemp("models") / "sat-3l-sm", TEXT)


def told(text: str) -> list[str]:
    return [span.text for span in sentences(text)]


def test_the_model_says_where_sentences_end_and_only_inside(sat: str) -> None:
    before = told(TEXT)
    with splitting(sat):
        assert told(TEXT) == ["dogs dig et al. and find ;", "cats sleep. and dream"] != before
        assert told("dogs dig\n\ncats sleep") == ["dogs dig", "cats sleep"]
        assert told("dogs\ndig") == ["dogs\ndig"]
        assert told("") == told(" \n ") == []
    assert told(TEXT) == before


def test_runs_side_by_side_split_each_its_own_way(sat: str) -> None:
    async def one(by: str) -> list[str]:
        with splitting(by):
            await asyncio.sleep(0)
            return await asyncio.to_thread(told, TEXT)

    async def both() -> tuple[list[str], list[str]]:
        return tuple(await asyncio.gather(one(sat), one("rules")))  # type: ignore[return-value]

    model, rules = asyncio.run(both())
    assert len(model) == 2
    assert rules == told(TEXT) != model


@given(st.text(alphabet="dog ;.\n\t\u2028é🙂(", max_size=60))
def test_offsets_hold_and_nothing_is_left_out(sat: str, text: str) -> None:
    with splitting(sat):
        spans = sentences(text)
    assert all(text[span.start : span.end] == span.text == span.text.strip() != "" for span in spans)
    assert "".join("".join(span.text.split()) for span in spans) == "".join(text.split())


def test_a_long_text_is_read_in_blocks(sat: str) -> None:
    with splitting(sat):
        assert len(sentences("dogs dig and find ; " * 700)) == 700


def test_what_is_no_model_is_told_with_what_fetches_one(tmp_path: Path, sat: str) -> None:
    with pytest.raises(BadInput, match=r"lacks model_optimized.onnx, config.json, tokenizer.json; `hf download"):
        splitting(str(tmp_path / "nowhere")).__enter__()
    broken = Path(write_sat(tmp_path / "broken", "a"))
    (broken / "model_optimized.onnx").write_bytes(b"no model")
    with pytest.raises(BadInput, match=r"holds no SaT model \(.*\); `hf download"):
        splitting(str(broken)).__enter__()


def test_loading_leaves_the_environment_alone(sat: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    with splitting(write_sat(Path(sat).parent / "another", "a")):
        assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
