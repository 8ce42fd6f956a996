"""Texts are measured and cut by the model's own tokens, evenly; what does not fit is refused before it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.errors import BadInput
from litrag.core.lengths import ROUGH, RoughMeasure, measure_of
from litrag.core.types import Document, Hit
from litrag.models.measuring import measure_for
from litrag.rerankers.toolkit import fitted


class Small:
    """A model with a context of 200 rough tokens."""

    model = "small/model"
    measure = RoughMeasure(200)


def hits(*words: int) -> list[Hit]:
    return [Hit(Document(str(i), "", " ".join(["tide"] * n))) for i, n in enumerate(words)]


@given(st.text(), st.integers(0, 30))
def test_a_cut_is_the_longest_beginning(text: str, tokens: int) -> None:
    cut = ROUGH.cut(text, tokens)
    assert text.startswith(cut)
    assert ROUGH.count(cut) == min(tokens, ROUGH.count(text))


def test_a_local_models_tokenizer_measures(tiny_llama: Path) -> None:
    from transformers import AutoTokenizer

    measure = measure_for(f"local/{tiny_llama}")
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    text = "the cat sat on the mat: <s> is text, not a mark"
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert (measure.count(text), measure.context) == (len(ids), 128)
    assert tokenizer.decode(ids[:7]) == measure.cut(text, 7)
    assert (measure.cut(text, 0), measure.cut(text, 999)) == ("", text)


def test_a_model_without_a_measure_is_measured_by_the_rule() -> None:
    assert measure_of(object()) is ROUGH
    assert measure_of(Small()).context == 200
    assert measure_for("scripted/m") is ROUGH


def test_texts_are_cut_under_one_bound_that_uses_the_context() -> None:
    texts = fitted(Small(), hits(5, 60, 60), 50, frame="frame", reply=10)
    counts = [text.removesuffix(" …").count("tide") for text in texts]
    assert counts[0] == 5, "a short text stays whole"
    assert counts[1] == counts[2] == 50, "the setting's bound"
    tight = fitted(Small(), hits(5, 90, 90), 90, reply=20)
    counts = [text.count("tide") for text in tight]
    assert counts[0] == 5
    assert 32 <= counts[1] == counts[2] < 50, "what short texts leave goes to the long ones, evenly"
    assert all(text.endswith(" …") for text in tight[1:])


def test_what_does_not_fit_is_refused_and_named() -> None:
    with pytest.raises(BadInput, match=r"4 documents do not fit the context of 200 tokens of small/model"):
        fitted(Small(), hits(90, 90, 90, 90), 90)
    assert len(fitted(object(), hits(*[400] * 50), 300)) == 50, "nobody knows a limit"
