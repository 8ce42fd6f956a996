"""Numbers as people read them."""

from __future__ import annotations

import math

__all__ = ["amount"]


def amount(value: float) -> str:
    """2,000,000 and not 2e+06; 1,234.5; 0.0123; without end: unbounded."""
    if math.isinf(value):
        return "unbounded"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.4g}" if value < 1000 else f"{value:,.1f}"
