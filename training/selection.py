"""Which pairs a retriever learns from, and against what: filters of positives and of negatives, each off unless asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from litrag.core.paths import cache_file
from litrag.core.protocols import ForcedScoring
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache
from litrag.core.sync import all_or_first_error
from litrag.core.types import Message
from litrag.models.gateway import Gateway
from litrag.training.collection import Collection, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["consistent", "false_negatives", "pruned", "sufficient"]


def consistent(samples: Sequence[Sample], ranks: Sequence[Sequence[int]]) -> list[Sample]:
    """Positives that the first stage ranks at all, `ranks` being cut at the depth that counts (CoRNStack, arXiv 2412.01007, section 3: a pair
    stays if its positive is among the query's best; the paper's 2 of one positive a query is a depth here, for a paper cites many)."""
    kept = [s.keeping([p for p in s.positives if p in set(found)]) for s, found in zip(samples, ranks, strict=True)]
    return [sample for sample in kept if sample.positives]


def pruned(samples: Sequence[Sample], collection: Collection, share: float) -> list[Sample]:
    """Without the `share` of pairs that the untrained vectors solve best: the probability of the positive under a softmax over the
    corpus is highest. Such pairs teach nothing."""
    import numpy as np

    pairs: list[tuple[float, int, int]] = []
    for number, sample in enumerate(samples):
        scores = np.where(collection.allowed(sample), collection.index.vectors @ sample.vector, -np.inf)
        pairs += [(float(scores[p] - np.partition(scores, -10)[-10]), number, p) for p in sample.positives]
    easiest = {(number, p) for _, number, p in sorted(pairs, reverse=True)[: int(share * len(pairs))]}
    kept = [s.keeping([p for p in s.positives if (number, p) not in easiest]) for number, s in enumerate(samples)]
    return [sample for sample in kept if sample.positives]


def false_negatives(sample: Sample, collection: Collection, margin: float) -> NDArray[np.bool_]:
    """Documents whose cosine to one of the sample's positives is `margin` or more, positives among them: too like an answer to be held
    against the query (LG-ANNA, arXiv 2506.07438, filters negatives by similarity to the positive)."""
    vectors = collection.index.vectors
    alike: NDArray[np.bool_] = (vectors @ vectors[list(sample.positives)].T).max(axis=1) >= margin
    return alike


async def sufficient(samples: Sequence[Sample], collection: Collection, scorer: str, share: float) -> list[Sample]:
    """The `share` of pairs whose document suffices best (ARK, arXiv 2511.16326): the mean of the z-scores of cosine, log P(query | document)
    and, where the data set has answers, log P(answer | query, document), per token by a local language model. Of a query the best
    positive always stays. Raises ModelFault."""
    gateway = Gateway(load_settings(rerank_model=scorer), cache=RequestCache(cache_file()))
    model = gateway.resolve("rerank", needs=ForcedScoring)
    pairs = [(number, p) for number, sample in enumerate(samples) for p in sample.positives]

    async def backward(pair: tuple[int, int]) -> float:
        query = samples[pair[0]].query.text.partition("\n")[0]
        asked = (Message("user", f"{_words(collection, pair[1])}\n\nA title or question that this text bears on:"),)
        return (await model.score(asked, [query]))[0].mean

    async def forward(pair: tuple[int, int]) -> float:
        sample = samples[pair[0]]
        asked = (Message("user", f"{_words(collection, pair[1])}\n\nQuestion: {sample.query.text}\nAnswer:"),)
        return (await model.score(asked, [sample.answers[0]]))[0].mean

    try:
        signals = [await _each(pairs, backward)]
        if all(sample.answers for sample in samples):
            signals.append(await _each(pairs, forward))
    finally:
        gateway.cache.close()
    vectors = collection.index.vectors
    signals.append([float(vectors[p] @ samples[number].vector) for number, p in pairs])
    return _best(samples, pairs, _mean_z(signals), share)


def _words(collection: Collection, place: int) -> str:
    return " ".join(collection.document(place).text.split()[:200])


async def _each(pairs: Sequence[tuple[int, int]], score: Callable[[tuple[int, int]], Any]) -> list[float]:
    found: list[float] = []
    for start in range(0, len(pairs), 64):
        found += await all_or_first_error([score(pair) for pair in pairs[start : start + 64]])
    return found


def _mean_z(signals: Sequence[Sequence[float]]) -> list[float]:
    import numpy as np

    rows = np.asarray(signals)
    spread = np.maximum(rows.std(axis=1, keepdims=True), 1e-9)
    means: list[float] = ((rows - rows.mean(axis=1, keepdims=True)) / spread).mean(axis=0).tolist()
    return means


def _best(
    samples: Sequence[Sample], pairs: Sequence[tuple[int, int]], values: Sequence[float], share: float
) -> list[Sample]:
    order = sorted(range(len(pairs)), key=lambda i: -values[i])
    kept: dict[int, list[int]] = defaultdict(list)
    for rank, i in enumerate(order):
        number, place = pairs[i]
        if rank < share * len(pairs) or number not in kept:
            kept[number].append(place)
    return [sample.keeping(sorted(kept[number])) for number, sample in enumerate(samples)]
