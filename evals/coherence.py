"""Do the groups of a review belong together? Groups of the works that an ACL paper cites, against shuffled groups of the same sizes.

Two measures of a group's coherence: mean cosine of its pairs in the space that the grouping used (high by construction, printed
so that nobody takes it for evidence), and two that the grouping never saw: the share of pairs that some *other* paper cites
together, and the share of pairs from one venue. Only the independent ones count."""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from litrag.evals.significance import Difference, paired_difference
from litrag.pipelines.grouping import group, group_count, word_vectors

__all__ = ["Coherence", "as_json", "run", "table"]


@dataclass(frozen=True, slots=True)
class Coherence:
    """One measure: mean over citing papers for our groups and for shuffled ones, and the paired difference."""

    measure: str
    independent: bool
    n: int
    groups: float
    shuffled: float
    difference: Difference


def run(data: Path, *, n: int = 200, seed: int = 0, least: int = 8, shuffles: int = 200) -> tuple[Coherence, ...]:
    """The first `n` citing papers (shuffled by `seed`) with at least `least` cited works under `data`/acl."""
    cites = {row["id"]: row["cites"] for row in _lines(data / "acl" / "citations.jsonl.gz")}
    wanted = {cited for works in cites.values() for cited in works}
    papers = {row["id"]: row for row in _lines(data / "acl" / "papers.jsonl.gz") if row["id"] in wanted}
    together: dict[tuple[str, str], set[str]] = defaultdict(set)
    for citing, works in cites.items():
        for a, b in combinations(sorted(works), 2):
            together[a, b].add(citing)
    rng = random.Random(seed)  # noqa: S311
    chosen = sorted(citing for citing, works in cites.items() if len(works) >= least)
    rng.shuffle(chosen)
    measured: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for citing in chosen[:n]:
        works = sorted(work for work in cites[citing] if work in papers)
        vectors = word_vectors([f"{papers[w]['title']}\n{papers[w]['abstract']}" for w in works])
        groups = group(vectors, group_count(len(works)))
        cosine = vectors @ vectors.T
        for name, pair in _measures(works, papers, together, citing, cosine).items():
            measured[name].append((_mean(groups, pair), _shuffled(groups, pair, shuffles, rng)))
    return tuple(_summary(name, pairs, seed) for name, pairs in measured.items())


def table(results: Sequence[Coherence]) -> str:
    """The results as lines of text."""
    lines = ["measure                        n  groups  shuffled  difference [95 %]            p"]
    for r in results:
        note = "" if r.independent else "  (not independent of the grouping)"
        d = r.difference
        lines.append(
            f"{r.measure:<28} {r.n:>4}  {r.groups:.4f}    {r.shuffled:.4f}  {d.value:+.4f} [{d.low:+.4f}, {d.high:+.4f}]  {d.p:.4f}{note}"
        )
    return "\n".join(lines)


def as_json(results: Sequence[Coherence]) -> list[dict[str, Any]]:
    """The results as JSON objects."""
    return [asdict(result) for result in results]


def _measures(
    works: Sequence[str],
    papers: Mapping[str, Any],
    together: Mapping[tuple[str, str], set[str]],
    citing: str,
    cosine: Any,
) -> dict[str, Callable[[int, int], float]]:
    def cited_together(i: int, j: int) -> float:
        return float(bool(together.get((works[i], works[j]), set()) - {citing}))

    return {
        "cosine (grouping's own)": lambda i, j: float(cosine[i, j]),
        "cited together by others": cited_together,
        "same venue": lambda i, j: float(papers[works[i]]["venue"] == papers[works[j]]["venue"]),
    }


def _mean(groups: Sequence[Sequence[int]], pair: Callable[[int, int], float]) -> float:
    values = [pair(min(i, j), max(i, j)) for members in groups for i, j in combinations(members, 2)]
    return sum(values) / len(values) if values else 0.0


def _shuffled(
    groups: Sequence[Sequence[int]], pair: Callable[[int, int], float], rounds: int, rng: random.Random
) -> float:
    rows = [row for members in groups for row in members]
    total = 0.0
    for _ in range(rounds):
        rng.shuffle(rows)
        left = iter(rows)
        total += _mean([[next(left) for _ in members] for members in groups], pair)
    return total / rounds


def _summary(name: str, pairs: Sequence[tuple[float, float]], seed: int) -> Coherence:
    ours, shuffled = [a for a, _ in pairs], [b for _, b in pairs]
    difference = paired_difference(ours, shuffled, seed=seed)
    return Coherence(
        name,
        not name.startswith("cosine"),
        len(pairs),
        sum(ours) / len(ours),
        sum(shuffled) / len(shuffled),
        difference,
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
