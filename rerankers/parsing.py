"""Permutations out of model replies: valid for any text, and telling how much of the order the model decided."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from litrag.core.replies import without_reasoning

__all__ = ["Order", "parse_order"]

_ID: Final = re.compile(r"\[\s*([0-9]{1,4})\s*\]")
_BLOCK: Final = re.compile(r"<ranking>(.*?)(?:</ranking>|$)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Order:
    """A permutation of range(n), best first; the last `appended` places were left open by the model."""

    indices: tuple[int, ...]
    appended: int

    @property
    def placed(self) -> float:
        """Share of positions that the model decided, in [0, 1]."""
        return 1 - self.appended / len(self.indices) if self.indices else 1.0


def parse_order(reply: str, n: int) -> Order:
    """Reads "[3] > [1]" as a permutation of range(n): the last <ranking> block counts, else the whole answer after the
    reasoning; foreign and repeated ids are dropped, missing ones appended in input order and counted."""
    answer = without_reasoning(reply)
    blocks = [block for block in _BLOCK.findall(answer) if _ID.search(block)]
    named = dict.fromkeys(i - 1 for i in map(int, _ID.findall(blocks[-1] if blocks else answer)) if 1 <= i <= n)
    missing = tuple(i for i in range(n) if i not in named)
    return Order((*named, *missing), appended=len(missing))
