"""The best of many scores, in an order that does not depend on how they were found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["top"]


def top(scores: NDArray[np.floating], k: int, *, above: float = float("-inf")) -> NDArray[np.intp]:
    """Positions of the best `k` of an (n,) array, best first, of those greater than `above`; equal ones in their order. Linear in n."""
    import numpy as np

    if k <= 0:
        return np.zeros(0, dtype=np.intp)
    least = np.partition(scores, len(scores) - k)[len(scores) - k] if k < len(scores) else above
    good = np.flatnonzero(scores >= least) if least > above else np.flatnonzero(scores > above)
    return good[np.argsort(-scores[good], kind="stable")][:k]
