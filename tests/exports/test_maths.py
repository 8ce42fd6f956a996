from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.exports.maths import harmless


@pytest.mark.parametrize(
    "formula", ["x_i", r"\alpha^{2}_{i}", r"\frac{a}{b}", "x_{i^2}", "^2", r"\mathcal{O}(n \log n)", "p<0.05"]
)
def test_a_formula_stays(formula: str) -> None:
    assert harmless(formula)


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "x_i_j",
        "x_ i _j",
        "x^",
        "{x",
        "x}",
        r"\frac{a}",
        r"\input{x}",
        r"\alphabeta",
        "a & b",
        "a#",
        "a~b",
        r"\\",
        "x%",
    ],
)
def test_what_breaks_a_build_or_is_a_command_of_others_does_not(formula: str) -> None:
    assert not harmless(formula)


@given(st.text("x_^{}\\ a$%", max_size=400))
def test_any_text_is_judged(text: str) -> None:
    assert harmless(text) in (True, False)
    assert not harmless("{" * 5000 + text)
