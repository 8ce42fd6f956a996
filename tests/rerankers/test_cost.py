"""What a method sends for 100 documents of 300 words, counted by the server that gets it: by the tokenizer of a model, chat template and all."""

from __future__ import annotations

import random
from typing import Any

import pytest
from fakes.chat import chat_server

from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Message, Query, Ranking, Score
from litrag.models.gateway import Gateway
from litrag.rerankers.groupwise import Groupwise
from litrag.rerankers.insertrank import InsertRank

WORDS = (
    "tide sand shore river delta storm ridge field forest animal search method sensor sample layer rain wind".split()
)


@pytest.mark.models
async def test_the_whole_list_and_groups_cost_little_more_than_their_documents_and_windows_twice_as_much(
    home: object,
) -> None:
    from litrag.models.local_loading import load_tokenizer
    from litrag.models.local_prompts import PromptCoder
    from litrag.models.weights import resolve_local

    name = "local/SmolLM2-135M-Instruct"
    coder = PromptCoder(load_tokenizer(name, resolve_local(name))[0])
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=300)) for _ in range(100)]
    query = Query("how storms move the sand of a shore")
    hits = (
        Hit(Document(f"d{i}", "", text), (Score(30 - i / 4, "bm25", query.text, i + 1),))
        for i, text in enumerate(texts)
    )
    given = Ranking(query, tuple(hits))
    own = sum(len(coder.plain(text)) for text in texts)

    async def factor(made: Any, **options: Any) -> float:
        with chat_server(
            lambda prompt: "no", count=lambda prompt: len(coder.prompt([Message("user", prompt)]))
        ) as chat:
            settings = Settings(model="openai/m", api_base=chat.url)
            gateway = Gateway(settings, cache=RequestCache(":memory:"))
            await made(gateway.model("rerank"), tokens=1000, default_depth=100, **options).rerank(given)
            return float(gateway.ledger.totals().prompt_tokens / own)

    assert 1.0 < await factor(InsertRank) <= 1.25
    assert 1.0 < await factor(Groupwise) <= 1.25
    assert 1.8 <= await factor(InsertRank, window=20, stride=10) < 2.1
