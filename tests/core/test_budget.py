from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core.budget import Budget, Limits, Spend
from litrag.core.errors import BudgetSpent


def test_a_reservation_that_would_pass_the_limit_is_refused_and_names_it() -> None:
    budget = Budget(Limits(calls=2))
    budget.reserve(Spend(calls=1)).settle(Spend(calls=1))
    budget.reserve(Spend(calls=1))
    with pytest.raises(BudgetSpent, match=r"calls: 1 of 2 spent, 1 held by calls under way; raise --max-calls"):
        budget.reserve(Spend(calls=1))


def test_a_call_that_is_too_large_is_told_with_its_size() -> None:
    """ "0 of 1,500 spent" alone would be a riddle."""
    budget = Budget(Limits(tokens=2_000_000, cost=0.25))
    with pytest.raises(BudgetSpent, match=r"tokens: 0 of 2,000,000 spent, the next may take 2,000,001; raise"):
        budget.reserve(Spend(tokens=2_000_001))
    with pytest.raises(BudgetSpent, match=r"cost: 0 of 0\.25 spent, the next may take 0\.3333; raise"):
        budget.reserve(Spend(cost=1 / 3))


def test_a_released_reservation_is_free_again() -> None:
    budget = Budget(Limits(tokens=100))
    budget.reserve(Spend(tokens=100)).release()
    budget.reserve(Spend(tokens=100))


def test_spend_of_an_earlier_session_counts() -> None:
    """A run that was killed must not get its budget twice."""
    budget = Budget(Limits(cost=1.0), spent=Spend(cost=0.9))
    with pytest.raises(BudgetSpent, match="cost"):
        budget.reserve(Spend(cost=0.2))


def test_seconds_count_over_sessions() -> None:
    now = iter([0.0, 1.0, 11.0, 11.0])
    budget = Budget(Limits(seconds=60), seconds_before=50, clock=lambda: next(now))
    budget.reserve(Spend(calls=1))
    with pytest.raises(BudgetSpent, match="seconds"):
        budget.reserve(Spend(calls=1))


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), max_size=40), st.integers(0, 200))
def test_concurrent_calls_never_pass_a_limit(calls: list[tuple[int, float]], limit: int) -> None:
    """However calls overlap, what is spent stays within the limit as long as estimates are upper bounds."""
    budget = Budget(Limits(tokens=limit))

    async def call(estimate: int, share: float) -> None:
        try:
            reservation = budget.reserve(Spend(tokens=estimate))
        except BudgetSpent:
            return
        await asyncio.sleep(0)
        reservation.settle(Spend(tokens=int(estimate * share)))

    async def main() -> None:
        await asyncio.gather(*(call(*c) for c in calls))

    asyncio.run(main())
    assert budget.spent.tokens <= limit
