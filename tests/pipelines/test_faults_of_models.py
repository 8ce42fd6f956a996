"""Reviews whose models cannot take a prompt, cannot rank, or have nothing to say: no paper is lost for it, and the user is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.author import Author
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core import registry
from litrag.core.errors import BadInput, PromptTooLong
from litrag.core.lengths import measure_of
from litrag.core.settings import load_settings
from litrag.core.types import Paper, Query
from litrag.exports.evidence import EvidenceFile
from litrag.models.request import ModelReply, ModelRequest
from litrag.pipelines.api import Review, make_request, review_async
from litrag.pipelines.estimate import REWRITES, estimate
from litrag.pipelines.reading import Abstract
from litrag.rewriters import REWRITERS
from litrag.rewriters.conversational import asked

MODELS: dict[str, Any] = {"model": "scripted/m", "embed_model": "scripted/e", "verify_model": "scripted/v"}
TEXT = f"{TITLE}\n\n{ABSTRACT}"
FAR = Paper(
    "far", "Sourdough", "Yeast, rye flour, salty water: bakers knead, proof, score, bake overnight.", ("B. Aker",), 2001
)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_library(tmp_path / "forest.jsonl")


class Mute(Author):
    """Says nothing in a role; `says` otherwise."""

    def __init__(self, role: str, says: str = "") -> None:
        super().__init__()
        self.role, self.says = role, says

    async def send(self, request: ModelRequest) -> ModelReply:
        if request.role != self.role:
            return await super().send(request)
        self.requests.append(request)
        return ModelReply(texts=(self.says,) * request.n, finish=("stop",) * request.n)


def run(library: Path, out: Path, **options: Any) -> Review:
    return review(TEXT, library=library, out=out, **{"papers": 12, **MODELS, **options})


def warnings(result: Review) -> str:
    return "\n".join(json.loads((result.folder / "run.json").read_text())["warnings"])


@pytest.mark.parametrize("role", ["rewrite", "rerank", "plan", "write", "verify"])
def test_a_prompt_that_a_model_cannot_take_costs_no_paper(library: Path, tmp_path: Path, role: str) -> None:
    """A server with a short context refuses what the others take: the searches before it are not thrown away for that."""

    def refuse(request: ModelRequest) -> None:
        if request.role == role:
            raise PromptTooLong("scripted/m: the request is longer than the model's context")

    result = run(library, tmp_path / "out", backend=Author(before=refuse))
    assert (result.papers, result.stop_reason) == (12, "done")
    assert f"{role}: scripted/m: the request is longer than the model's context" in warnings(result)


def test_papers_that_a_model_did_not_place_are_ordered_by_similarity(library: Path, tmp_path: Path) -> None:
    by_likeness = run(library, tmp_path / "plain", backend=Author(), papers=4, reranker="similarity")
    mute = run(library, tmp_path / "mute", backend=Mute("rerank", "I cannot rank these."), papers=4)
    assert set(mute.cited) == set(by_likeness.cited)
    assert "reranker insertrank: the model placed only 0%" in warnings(mute)
    assert "ordered by their similarity to your text instead" in warnings(mute)
    assert "reranker" not in warnings(by_likeness)


def test_a_ranking_with_some_papers_left_out_is_taken_and_told_of(library: Path, tmp_path: Path) -> None:
    first = "<ranking>" + " > ".join(f"[{n}]" for n in range(20, 0, -1)) + "</ranking>"
    result = run(library, tmp_path / "out", backend=Mute("rerank", first))
    assert "reranker insertrank: the model placed only" in warnings(result)
    assert "instead" not in warnings(result)


def test_a_model_that_ranks_brings_nothing_far_into_the_review(tmp_path: Path) -> None:
    """The floor stands with every reranker: this model puts what has nothing to do with the text first."""
    library = write_library(tmp_path / "forest.jsonl", [*papers()[:6], FAR])
    backwards = "<ranking>" + " > ".join(f"[{n}]" for n in range(7, 0, -1)) + "</ranking>"
    result = run(library, tmp_path / "out", backend=Mute("rerank", backwards))
    assert result.papers == 6
    assert result.counters["unrelated"] == 1
    assert "far" not in {paper.id for paper in result.cited.values()}


def test_where_all_is_far_a_review_by_a_model_says_so(tmp_path: Path) -> None:
    library = write_library(tmp_path / "bread.jsonl", [FAR, Paper("more", "Rye", FAR.abstract, ("B. Aker",), 2002)])
    result = run(library, tmp_path / "out", backend=Author())
    assert "no paper found is near your text" in warnings(result)


@pytest.mark.parametrize("name", ["conversational", "best-of"])
def test_a_rewriter_of_conversations_makes_a_query_of_the_title(library: Path, tmp_path: Path, name: str) -> None:
    backend = Mute("rewrite", "Which fungi feed the roots of forest trees?")
    result = run(library, tmp_path / "out", backend=backend, rewriter=name)
    (asked,) = [request for request in backend.requests if request.role == "rewrite"]
    assert f"Question: {TITLE}" in asked.messages[-1].content
    assert "made no query" not in warnings(result)
    found = EvidenceFile.model_validate_json((result.folder / "evidence.json").read_text()).evidence
    assert any(item.query == backend.says for item in found)


def test_without_a_title_the_last_sentence_is_the_question() -> None:
    request = make_request(Abstract("a", "", "Trees share sugar. Fungi carry it."), load_settings())
    assert (request.question.text, request.question.history[1]) == ("Fungi carry it.", "Trees share sugar.")
    alone = make_request(Abstract("a", "", "Fungi carry it."), load_settings()).question
    assert (alone.text, alone.history) == ("Fungi carry it.", ())


def test_a_rewriter_that_makes_no_query_is_told_of(library: Path, tmp_path: Path) -> None:
    result = run(library, tmp_path / "out", backend=Mute("rewrite"), rewriter="hyde")
    assert "rewriter hyde made no query; your text alone is searched with" in warnings(result)
    assert "made no query" not in warnings(run(library, tmp_path / "none", backend=Author(), rewriter="none"))


def test_settings_of_a_rewriter_reach_it_and_wrong_ones_are_named(library: Path, tmp_path: Path) -> None:
    backend = Author()
    run(library, tmp_path / "out", backend=backend, rewriter="keywords", rewriter_options={"n": 2})
    (asked,) = [request for request in backend.requests if request.role == "rewrite"]
    assert "2" in asked.messages[-1].content.split("<abstract>")[0]
    with pytest.raises(BadInput, match="rewriter keywords has no setting 'k'"):
        run(library, tmp_path / "no", backend=Author(), rewriter="keywords", rewriter_options={"k": 2})


def test_drafts_beside_a_given_plan_are_told_of(library: Path, tmp_path: Path) -> None:
    first = run(library, tmp_path / "first", backend=Author(), drafts=2)
    assert first.counters["drafts"] == 2
    assert "drafts" not in warnings(first)
    plan = tmp_path / "plan.md"
    plan.write_text("## Roots\n\n- introduce the field\n")
    given = run(library, tmp_path / "given", backend=Author(), drafts=3, plan=plan)
    assert "1 of 3 drafts are written: the plan is given" in warnings(given)


def test_a_plan_model_plans_for_the_writer_without_a_model_too(library: Path, tmp_path: Path) -> None:
    backend = Author()
    options = {"model": None, "verify_model": None, "plan_model": "scripted/p"}
    result = run(library, tmp_path / "out", backend=backend, writer="extractive", **options)
    assert "plan" in {request.role for request in backend.requests}
    assert "theme 0" in {paragraph.topic for paragraph in result.plan.paragraphs}
    assert "grouped by scripted/p" in result.text
    assert "without a language model" not in result.text


def test_a_dry_run_plans_every_rewriter_that_asks_a_model() -> None:
    asks = {name for name in REWRITERS if getattr(registry.find("rewriter", REWRITERS, name), "needs", None)}
    assert set(REWRITES) == asks


@pytest.mark.parametrize("name", REWRITES)
async def test_what_a_dry_run_plans_bounds_the_calls_of_a_rewriter(name: str, library: Path, tmp_path: Path) -> None:
    backend = Author()
    text = Abstract("a", TITLE, ABSTRACT)
    options = {**MODELS, "rewriter": name, "papers": 12}
    request = make_request(text, load_settings(**options), libraries=[str(library)], out=str(tmp_path / "out"))
    (planned,) = [row.calls for row in await estimate(request) if row.role == "rewrite"]
    await review_async(TEXT, library=library, out=tmp_path / "out", backend=backend, **options)
    made = sum(request.role == "rewrite" for request in backend.requests)
    assert 0 < made <= planned <= 2 * made


def test_a_long_history_is_shown_as_far_as_the_prompt_goes() -> None:
    query = Query("and then?", history=("What is it about?", "word " * 20_000))
    assert len(asked(measure_of(object()), query, tokens=300).split()) < 500


def test_the_tail_that_nobody_looked_at_is_not_nearer(tmp_path: Path) -> None:
    """A pool of more than a hundred papers, none of them near: the user is told, and the first ones are cited, not the last."""
    far = [Paper(f"far{n}", f"Sourdough {n}, planned", 3 * FAR.abstract, ("B. Aker",), 2001) for n in range(130)]
    library = write_library(tmp_path / "bread.jsonl", far)
    result = run(library, tmp_path / "out", backend=Author(), papers=5, reranker="none", rewriter="none")
    assert "no paper found is near your text" in warnings(result)
    near = write_library(tmp_path / "both.jsonl", [*far, *papers()[:3]])
    both = run(near, tmp_path / "both", backend=Author(), papers=5, reranker="none", rewriter="none")
    assert {paper.id for paper in both.cited.values()} == {paper.id for paper in papers()[:3]}


def test_options_of_the_files_method_are_not_those_of_another(
    library: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "litrag.toml").write_text(
        'rewriter = "keywords"\nrewriter_options = { n = 3 }\nreranker = "groupwise"\n'
    )
    assert load_settings().rewriter_options == {"n": 3}
    assert load_settings(rewriter="keywords").rewriter_options == {"n": 3}
    assert load_settings(rewriter="none").rewriter_options == {}
    assert load_settings(rewriter="hyde", rewriter_options={"words": 9}).rewriter_options == {"words": 9}


def test_outside_of_reviews_a_prompt_that_is_too_long_is_an_error(library: Path) -> None:
    from litrag.pipelines.searching import find

    def refuse(request: ModelRequest) -> None:
        raise PromptTooLong("scripted/m: the request is longer than the model's context")

    with pytest.raises(PromptTooLong):
        find(
            "dogs",
            library=library,
            rewriter="hyde",
            model="scripted/m",
            backend=Author(before=refuse),
            embed_model="none",
        )


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, {"verify"}),
        ({"support": "likelihood"}, {"support"}),
        ({"support": "likelihood", "support_model": "scripted/s"}, {"support", "verify"}),
        ({"support": "none"}, {"verify"}),
    ],
)
async def test_a_dry_run_plans_who_judges_and_no_other(library: Path, options: dict[str, Any], asked: set[str]) -> None:
    settings = load_settings(**{**MODELS, **options})
    planned = await estimate(make_request(Abstract("a", TITLE, ABSTRACT), settings, libraries=[str(library)]))
    assert {row.role for row in planned} & {"support", "verify"} == asked
