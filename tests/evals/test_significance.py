from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from litrag.evals.results import compare
from litrag.evals.significance import (
    LEVEL,
    bootstrap_interval,
    holm,
    paired_difference,
    paired_differences,
    permutation_p,
)


@pytest.mark.parametrize(
    ("gaps", "p"),
    [
        ((1.0,), 1.0),  # +1 and -1 are both as large
        ((1.0, 1.0), 0.5),  # ++ and -- of four
        ((1.0, 2.0, 3.0), 0.25),  # +++ and --- of eight
        ((1.0, -1.0), 1.0),
        ((3.0, -1.0, 2.0), 0.5),  # |sum| 4: 3-1+2 and 3+1+2, and their mirrors, of eight
        ((0.0, 0.0, 0.0), 1.0),
    ],
)
def test_the_exact_p_of_few_pairs_is_that_worked_by_hand(gaps: tuple[float, ...], p: float) -> None:
    assert permutation_p(gaps) == p


@pytest.mark.parametrize("n", [5, 12, 13])
def test_the_exact_p_is_scipys(n: int) -> None:
    gaps = np.random.default_rng(n).normal(0.3, 1, n)
    theirs = stats.permutation_test((gaps,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert math.isclose(permutation_p(list(gaps)), theirs.pvalue, rel_tol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.4])
def test_the_drawn_p_is_scipys_within_its_error(shift: float) -> None:
    gaps = np.random.default_rng(1).normal(shift, 1, 60)
    rng = np.random.default_rng(2)
    theirs = stats.permutation_test((gaps,), np.mean, permutation_type="samples", n_resamples=10_000, rng=rng).pvalue
    ours = permutation_p(list(gaps))
    assert abs(ours - theirs) < 4 * math.sqrt(2 * max(theirs, 1e-4) / 10_000) + 2e-4
    assert ours >= 1 / 10_001


def test_the_interval_is_scipys_and_that_of_the_normal() -> None:
    values = np.random.default_rng(3).normal(2, 1, 400)
    ours = bootstrap_interval(list(values))
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(4))
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.01)
    assert ours.high - ours.low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(400), rel=0.05)


def test_the_interval_of_two_values_is_worked_by_hand() -> None:
    """Resamples of (0, 1) have the means 0, 1/2, 1 in a quarter, half and quarter of the cases: the outer 2.5 % are 0 and 1."""
    interval = bootstrap_interval([0.0, 1.0])
    assert (interval.value, interval.low, interval.high) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize(
    ("ps", "adjusted"),
    [
        ((0.01, 0.04, 0.03), (0.03, 0.06, 0.06)),  # 3 x .01; 2 x .03; then no smaller than that
        ((0.5, 0.5), (1.0, 1.0)),
        ((0.04,), (0.04,)),
        ((), ()),
        ((0.005, 0.011, 0.02, 0.9), (0.02, 0.033, 0.04, 0.9)),
    ],
)
def test_holm_is_worked_by_hand(ps: tuple[float, ...], adjusted: tuple[float, ...]) -> None:
    assert holm(ps) == pytest.approx(adjusted)


def test_a_difference_has_value_interval_and_p() -> None:
    clear = paired_difference([float(i) + 1 for i in range(12)], [float(i) for i in range(12)])
    assert (clear.value, clear.low, clear.high, clear.p) == (1.0, 1.0, 1.0, 2 / 2**12)
    with pytest.raises(ValueError, match="make no pairs"):
        paired_difference([1.0], [])
    with pytest.raises(ValueError, match="no values"):
        bootstrap_interval([])


def test_of_many_pairs_one_that_is_clear_can_still_be_marked() -> None:
    """With 10,000 sign vectors the smallest p is .0001, which Holm lifts above .01 from 101 pairs on."""
    rng = np.random.default_rng(0)
    noise = [(list(rng.normal(size=40)), list(rng.normal(size=40))) for _ in range(299)]
    clear = (list(rng.normal(5, 1, 40)), list(rng.normal(size=40)))
    ps = holm([difference.p for difference in paired_differences([clear, *noise])])
    assert ps[0] < LEVEL
    assert sum(p < LEVEL for p in ps) == 1


def test_twelve_systems_without_a_difference_are_left_alone() -> None:
    """100 tables of 12 systems over 50 topics: what is marked at all is marked by chance, and that is at most one pair in 6,600. At
    Holm's own .05 three of the tables would hold a pair, which is what .05 promises."""
    marked = loose = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(50, 1)) + rng.normal(size=(50, 12))
        ps = holm([_quick_p(scores[:, a] - scores[:, b], seed) for a, b in combinations(range(12), 2)])
        marked += sum(p < LEVEL for p in ps)
        loose += any(p < 0.05 for p in ps)
    assert marked <= 1
    assert loose <= 10


def _quick_p(gaps: np.ndarray, seed: int) -> float:
    """A first look with 200 rounds; only what could matter is looked at with all."""
    p = permutation_p(list(gaps), rounds=200, seed=seed)
    return p if p > 0.1 else permutation_p(list(gaps), seed=seed)


def test_a_table_compares_all_pairs_under_each_metric_and_a_real_difference_shows() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(size=60)
    values = {
        "first": {"m": list(base)},
        "same": {"m": list(base + rng.normal(0, 0.5, 60))},
        "better": {"m": list(base + 0.5 + rng.normal(0, 0.5, 60)), "own": [1.0] * 60},
    }
    found = {(c.a, c.b): c for c in compare(values, seed=0)}
    assert set(found) == {("same", "first"), ("better", "first"), ("better", "same")}
    assert found["better", "first"].difference > 0.3
    assert found["better", "first"].p_holm < LEVEL < found["same", "first"].p_holm
    assert all(c.p <= c.p_holm for c in found.values())
