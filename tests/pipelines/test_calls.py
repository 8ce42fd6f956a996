"""litrag from Python: what `from litrag import ...` gives, in a script and under the running loop of a notebook."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import litrag
from litrag import add_library, ask, rerank, rewrite, search
from litrag.core.errors import BadInput, LitragError, UnknownName
from litrag.core.types import Query, Ranking
from litrag.models.scripted import ScriptedBackend
from litrag.retrievers.sources.library import list_libraries

PAPERS = (
    ("p1", "Fleas that leap", "We show that fleas leap a hundred times their length.", 2018),
    ("p2", "Moths at night", "Moths find lamps by the light of the moon.", 2020),
    ("p3", "Leaping in spiders", "Spiders leap less far than fleas do.", 2021),
)


@pytest.fixture
def library(tmp_path: Path, no_weights: None) -> Path:
    path = tmp_path / "insects.jsonl"
    rows = [{"id": i, "title": t, "abstract": a, "year": y, "authors": ["Ann Lee"]} for i, t, a, y in PAPERS]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_every_name_that_is_promised_is_there() -> None:
    assert all(hasattr(litrag, name) for name in litrag.__all__)
    assert set(litrag.__all__) <= set(dir(litrag))
    with pytest.raises(AttributeError, match="no attribute 'revue'"):
        litrag.revue  # noqa: B018


def test_all_calls_work_under_the_loop_of_a_notebook(library: Path) -> None:
    """A notebook's loop runs: asyncio.run would refuse."""

    async def notebook() -> None:
        found = search("a hundred times the length of fleas", library=library)
        assert found.papers[0].id == "p1"
        assert "Fleas that leap" in found._repr_html_()
        answered = ask("How far do fleas leap?", library=library, max_searches=1)
        assert "a hundred times their length" in answered._repr_html_()
        assert rewrite("Fleas leap a hundred times their length.", "statistical").queries[0].kind == "original"
        assert rerank(found, "none").ranking.ids == found.ranking.ids

    asyncio.run(notebook())


def test_a_search_is_reranked_by_any_model(library: Path) -> None:
    found = search("leap", library=library)
    backend = ScriptedBackend(*["[2] > [1]"] * 2)
    outcome = rerank(found, "insertrank", rerank_model="scripted/judge", backend=backend)
    assert outcome.ranking.ids == found.ranking.ids[::-1]
    shown = outcome._repr_html_()
    assert "insertrank" in shown
    assert ">was<" in shown
    assert "1 model calls" in shown


def test_what_stopped_a_reranking_is_raised_with_its_ranking(library: Path) -> None:
    found = search("leap", library=library)
    outcome = rerank(found, "insertrank", rerank_model="scripted/judge", backend=ScriptedBackend("x"), max_calls=0)
    assert "calls: " in outcome._repr_html_()
    with pytest.raises(LitragError, match="max-calls"):
        _ = outcome.ranking


def test_a_rewriter_takes_its_turns_and_its_settings() -> None:
    history = ("Who wrote about fleas?", "Ann Lee.")
    backend = ScriptedBackend("When did Ann Lee write?")
    found = rewrite("When did she?", "conversational", history=history, rewrite_model="scripted/m", backend=backend)
    assert found.queries[-1].text == "When did Ann Lee write?"
    assert "conversational" in found._repr_html_()


def test_a_library_is_added_and_says_what_it_lacks(library: Path) -> None:
    info = add_library(library, name="insects")
    assert (info.papers, info.vectors) == (3, 0)
    assert any("BM25 is ready" in note for note in info.notes)
    assert [each.name for each in list_libraries()] == ["insects"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: rerank(Ranking(Query("fleas"))), "nothing to rerank.*'fleas'"),
        (lambda: rerank(Ranking(Query("fleas")), "no-such"), "nothing to rerank"),
        (lambda: rewrite(" ", "statistical"), "nothing to rewrite"),
        (lambda: ask("Who?", max_searches=0), "max_searches 0"),
        (lambda: add_library("nowhere.bib"), r"nowhere\.bib"),
    ],
)
def test_what_cannot_begin_is_told_in_a_line(call: object, says: str, no_weights: None) -> None:
    with pytest.raises(BadInput, match=says):
        call()  # type: ignore[operator]


def test_an_unknown_name_lists_those_there_are(library: Path) -> None:
    with pytest.raises(UnknownName, match="setwise"):
        rerank(search("leap", library=library), "setwize")
    with pytest.raises(UnknownName, match="statistical"):
        rewrite("fleas", "statistcal")
