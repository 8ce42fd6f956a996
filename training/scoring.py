"""A linear model of preferences: weights under which the better of two rows of features has the greater sum (RankNet with no hidden layer)."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["pairwise_weights"]


def pairwise_weights(
    gaps: Sequence[Sequence[float]], names: Sequence[str], *, penalty: float = 1.0
) -> dict[str, float]:
    """Weights by name from `gaps` (pairs, features), each the better row less the worse one: the minimum of the logistic loss of all gaps with an L2
    `penalty`, over features brought to deviation 1. A feature that no pair differs in gets 0."""
    import numpy as np
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    values = np.asarray(gaps, dtype=float)
    spread = np.sqrt((values**2).mean(axis=0))
    scaled = values / np.where(spread > 0, spread, 1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = scaled @ weights
        chance = 1 / (1 + np.exp(margins))  # of the wrong order
        total = np.logaddexp(0, -margins).sum() + penalty / 2 * (weights**2).sum()
        return float(total), -(scaled * chance[:, None]).sum(axis=0) + penalty * weights

    found = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B").x
    weights = np.where(spread > 0, found / np.where(spread > 0, spread, 1.0), 0.0)
    return {name: round(float(weight), 6) for name, weight in zip(names, weights, strict=True)}
