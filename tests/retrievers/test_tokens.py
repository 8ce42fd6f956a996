"""MaxSim is the sum of maxima, whoever computes it; token vectors are computed once and outlive the process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from litrag.core.errors import EnvironmentFault
from litrag.core.protocols import LateInteraction
from litrag.core.types import Document
from litrag.retrievers.tokens import InMemoryTokens, TokenStore, maxsim


class Dice:
    """A token embedder with vectors drawn by text: `lengths` words, the same for the same text. `asked` keeps the texts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed_tokens(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> tuple[np.ndarray, ...]:
        self.asked.extend(texts)
        return tuple(map(tokens, texts))


def tokens(text: str) -> np.ndarray:
    rows = np.random.default_rng(sum(text.encode())).standard_normal((len(text.split()), 24)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def documents(n: int) -> list[Document]:
    return [Document(f"d{i}", "", " ".join(f"w{i}" for _ in range(i))) for i in range(n)]


KINDS: dict[str, Callable[[Path, Dice], LateInteraction]] = {
    "in-memory": lambda _, dice: InMemoryTokens(dice),
    "store": lambda folder, dice: TokenStore(folder / "tokens", dice, batch=4),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_late_interaction_is_the_sum_over_query_tokens_of_the_greatest_cosine(kind: str, tmp_path: Path) -> None:
    """By brute force, two loops over tokens; float16 on disk costs less than 0.001 a query token."""
    late, query = KINDS[kind](tmp_path, Dice()), tokens("five words in the query")
    found = documents(12)
    scores = await late.scores(query, found)
    for document, score in zip(found, scores, strict=True):
        words = tokens(document.text)
        brute = sum(max((float(q @ w) for w in words), default=0.0) for q in query)
        assert score == pytest.approx(brute, abs=5e-3)
        assert maxsim(query, words) == pytest.approx(brute, abs=1e-5)
    assert scores[0] == 0.0, "no word, no similarity"
    assert await late.scores(query, []) == ()


async def test_a_text_is_embedded_once_and_twins_share_its_vectors(tmp_path: Path) -> None:
    dice = Dice()
    store, query = TokenStore(tmp_path / "tokens", dice, batch=4), tokens("a query")
    first = await store.scores(query, documents(10))
    twin = Document("twin", "", documents(10)[7].text)
    assert await store.scores(query, [twin, *documents(10)]) == (first[7], *first)
    assert len(dice.asked) == 10
    store.close()
    again = TokenStore(tmp_path / "tokens", dice)
    assert (await again.scores(query, documents(11)))[:10] == first
    assert len(dice.asked) == 11
    again.close()
    again.close()


async def test_what_was_kept_before_a_stop_is_not_embedded_again(tmp_path: Path) -> None:
    """A batch is on disk before the next one is asked for."""

    class Stops(Dice):
        async def embed_tokens(
            self, texts: Sequence[str], *, kind: Literal["query", "document"]
        ) -> tuple[np.ndarray, ...]:
            if len(self.asked) >= 8:
                raise KeyboardInterrupt
            return await super().embed_tokens(texts, kind=kind)

    store, query = TokenStore(tmp_path / "tokens", Stops(), batch=4), tokens("a query")
    with pytest.raises(KeyboardInterrupt):
        await store.scores(query, documents(12))
    store.close()
    dice = Dice()
    again = TokenStore(tmp_path / "tokens", dice)
    await again.scores(query, documents(12))
    again.close()
    assert len(dice.asked) == 4


def test_a_killed_process_leaves_its_batches(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys, numpy as np; from pathlib import Path; from litrag.retrievers.tokens import TokenStore;"
        "from litrag.core.types import Document\n"
        "class One:\n"
        "    async def embed_tokens(self, texts, *, kind): return tuple(np.ones((2, 4), dtype=np.float32) for _ in texts)\n"
        f"store = TokenStore(Path({str(tmp_path / 'tokens')!r}), One())\n"
        "asyncio.run(store.scores(np.ones((1, 4), dtype=np.float32), [Document('a', '', 'text')])); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    from litrag.core.sync import run

    dice = Dice()
    store = TokenStore(tmp_path / "tokens", dice)
    assert run(store.scores(np.ones((1, 4), dtype=np.float32), [Document("b", "", "text")])) == (4.0,)
    assert dice.asked == []
    store.close()


@contextmanager
def other_process_holding(folder: Path) -> Iterator[None]:
    script = (
        "import numpy as np; from pathlib import Path; from litrag.retrievers.tokens import _TokenShard\n"
        f"shard = _TokenShard(Path({str(folder)!r}), 24); print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "open"
        yield
        other.communicate("\n")


async def test_a_store_that_another_process_has_open_is_no_stop(tmp_path: Path) -> None:
    """Two reviews at once on one machine both rerank; the second one does not keep what it computes, and says so."""
    with other_process_holding(tmp_path / "tokens"):
        store = TokenStore(tmp_path / "tokens", Dice())
        query = tokens("a query")
        assert await store.scores(query, documents(3)) == await InMemoryTokens(Dice()).scores(query, documents(3))
        (warning,) = store.warnings
        assert "in use by another process" in warning
        assert warning.endswith("token vectors were computed and not kept")


async def test_token_vectors_of_another_model_are_a_clear_error(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "tokens", Dice())
    await store.scores(tokens("a query"), documents(2))
    with pytest.raises(EnvironmentFault, match="do not fit the embedder"):
        await store.scores(np.ones((1, 5), dtype=np.float32), documents(2))
    store.close()
