from __future__ import annotations

from pathlib import Path

import pytest

from litrag.evals import coherence
from litrag.evals.significance import paired_difference


def test_no_difference_has_a_large_p_and_a_clear_one_a_small_p() -> None:
    same = paired_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], rounds=999)
    assert (same.value, same.p) == (0.0, 1.0)
    clear = paired_difference([float(i) + 1 for i in range(12)], [float(i) for i in range(12)], rounds=999)
    assert (clear.value, clear.low, clear.high) == (1.0, 1.0, 1.0)
    assert 0.001 <= clear.p < 0.01
    with pytest.raises(ValueError, match="no pairs"):
        paired_difference([], [])


@pytest.mark.data
def test_groups_cohere_better_than_shuffled_groups(data_dir: Path) -> None:
    """By a measure that the grouping never saw: pairs of one group are cited together by other papers more often."""
    results = {r.measure: r for r in coherence.run(data_dir, n=80, shuffles=50)}
    for measure in ("cosine (grouping's own)", "cited together by others"):
        assert results[measure].difference.low > 0
        assert results[measure].difference.p < 0.01
    assert [r.measure for r in results.values() if not r.independent] == ["cosine (grouping's own)"]
