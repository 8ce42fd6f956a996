"""Groups of papers by topic: spherical k-means, then a balanced assignment, so that groups become paragraphs of a fair size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litrag.core.protocols import Vectors

__all__ = ["group", "group_count", "word_vectors"]


def group_count(n: int, *, size: int = 5, most: int = 18) -> int:
    """How many groups `n` papers make: about `size` papers each, three or more from ten papers on, never more than `most`."""
    if n < 4:
        return 1
    return min(most, max(2 if n < 10 else 3, round(n / size)))


def group(vectors: Vectors, k: int, *, seed: int = 0, singles: bool = False) -> tuple[tuple[int, ...], ...]:
    """Row numbers of (n, d) unit vectors in at most `k` groups, each in ascending order, groups by their first row.

    No group holds more than 1.4 times its fair share, and, but for `singles`, none a single row where n > 3. Deterministic."""
    import numpy as np
    from sklearn.cluster import KMeans

    n = len(vectors)
    k = min(k, len(np.unique(vectors.round(5), axis=0))) if n else 0
    if k <= 1 or (n <= 3 and not singles):
        return (tuple(range(n)),) if n else ()
    centres = KMeans(n_clusters=k, n_init=10, random_state=seed).fit(vectors).cluster_centers_
    centres = centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    likeness = vectors @ centres.T
    room = [max(2, -(-7 * n // (5 * len(centres))))] * len(centres)
    home = [-1] * n
    for flat in np.argsort(-likeness, axis=None, kind="stable"):
        row, centre = divmod(int(flat), len(centres))
        if home[row] < 0 and room[centre] > 0:
            home[row] = centre
            room[centre] -= 1
    if not singles:
        _rehouse_singles(home, likeness)
    groups = [tuple(row for row in range(n) if home[row] == centre) for centre in sorted(set(home))]
    return tuple(sorted(groups))


def word_vectors(texts: Sequence[str]) -> Vectors:
    """TF-IDF vectors with unit norm, for when there is no embedder: (n, vocabulary) float32."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        matrix = TfidfVectorizer(stop_words="english", sublinear_tf=True, ngram_range=(1, 2)).fit_transform(texts)
    except ValueError:  # not one word in all texts
        return np.ones((len(texts), 1), dtype=np.float32)
    dense: Vectors = matrix.toarray().astype(np.float32)
    return dense


def _rehouse_singles(home: list[int], likeness: Vectors) -> None:
    for row, centre in enumerate(home):
        if home.count(centre) == 1:
            others = [other for other in set(home) if other != centre]
            if others:
                home[row] = max(others, key=lambda other: (likeness[row, other], -other))
