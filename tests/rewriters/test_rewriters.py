from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from fakes.texts import ABSTRACT

from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Query
from litrag.models.gateway import Gateway
from litrag.models.scripted import ScriptedBackend
from litrag.rewriters.keywords import KeywordQueries
from litrag.rewriters.statistical import OriginalOnly, StatisticalKeywords

QUERY = Query(ABSTRACT, before=date(2020, 1, 1), exclude=frozenset({"x"}))


def keywords(reply: str) -> KeywordQueries:
    gate = Gateway(Settings(model="scripted/m"), cache=RequestCache(":memory:"), backend=ScriptedBackend(reply))
    return KeywordQueries(gate.model("rewrite"), n=2)


async def test_a_models_queries_come_after_the_original_and_inherit_its_filters() -> None:
    quote = "We train dogs to find mushrooms by their smell"
    reply = json.dumps(
        {
            "queries": [
                {"query": "scent detection dogs", "quote": quote},
                {"query": "drones in forests", "quote": "cover open ground faster"},
            ]
        }
    )
    queries = await keywords(reply).rewrite(QUERY)
    assert [q.text for q in queries] == [ABSTRACT, "scent detection dogs", "drones in forests"]
    assert queries[0] == QUERY
    assert all(
        q.reason.strip("“”") in ABSTRACT
        and q.reason
        and q.parent == ABSTRACT
        and q.kind == "keywords"
        and q.before == QUERY.before
        and q.exclude == QUERY.exclude
        for q in queries[1:]
    )


@pytest.mark.parametrize(
    "reply", ["1. 1.1.1.1", '{"queries": []}', '{"queries": [{"query": "x", "quote": "not in the abstract at all"}]}']
)
async def test_an_unusable_reply_leaves_it_to_word_statistics(reply: str) -> None:
    queries = await keywords(reply).rewrite(QUERY)
    assert queries == await StatisticalKeywords(n=2).rewrite(QUERY)
    assert len(queries) == 3


async def test_word_statistics_give_as_many_queries_as_were_asked_for() -> None:
    for n in (1, 2, 5):
        found = await replace(keywords("noise"), n=n).rewrite(Query(ABSTRACT))
        assert len(found) == 1 + n


async def test_statistics_find_phrases_of_the_text_and_always_the_same() -> None:
    queries = await StatisticalKeywords(n=3).rewrite(QUERY)
    assert queries[0] == QUERY
    assert all(q.text.casefold() in ABSTRACT.casefold() for q in queries[1:])
    assert queries == await StatisticalKeywords(n=3).rewrite(QUERY)
    assert await OriginalOnly().rewrite(QUERY) == (QUERY,)
