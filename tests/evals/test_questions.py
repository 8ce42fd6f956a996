"""The rows of a table of agents on small data: each runs, equal documents are equal, models answer through a scripted backend."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.qdrant import LastingClient
from fakes.wiki import questions, write_wiki

from litrag.agents.stops import Controller
from litrag.core.errors import BadInput, UnknownName
from litrag.core.paths import cache_file
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Query
from litrag.corpora import load
from litrag.corpora.types import Topic
from litrag.corpora.wiki import wiki_document
from litrag.evals import agent_bench, hop_rows
from litrag.evals.agent_bench import AgentBench, gold_sentences, lines_of
from litrag.evals.answers import exact_match
from litrag.evals.asked_rows import asked
from litrag.evals.hop_rows import single
from litrag.evals.questions import METHODS, TWOWIKI
from litrag.evals.results import Results
from litrag.evals.runner import Evaluation, evaluate
from litrag.evals.tables import markdown_table, terminal_table
from litrag.evals.tasks import EvalOptions
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.retrievers.sources.library import open_library
from litrag.retrievers.sources.library_search import fill_vectors
from litrag.training.frugal import Trail, components

pytest.importorskip("sentence_transformers")
FREE = (
    "bm25-3",
    "dense-3",
    "hybrid-9",
    "fixed-3",
    "fixed-hybrid-2",
    "feedback-2",
    "narrow-4",
    "hybrid-equal-narrow-4",
    "narrow-stop-covered",
    "fixed-stop-score-drop",
    "narrow-controller",
    "narrow-interpolated",
    "narrow-random-stop",
    "narrow-oracle-stop",
    "words-6",
    "words-shipped",
    "words-shipped-interpolated",
)


@pytest.fixture(autouse=True)
def _hybrid_is_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny embedder's vectors are random: what rests on them shows nothing."""
    monkeypatch.setattr(AgentBench, "hybrid", property(lambda bench: bench.words))


async def measured(folder: Path, out: Path, *names: str, settings: Settings) -> Results:
    evaluation = TWOWIKI.evaluation(EvalOptions(f"2wiki={folder}", names, settings=settings))
    found = await evaluate(evaluation, out)
    TWOWIKI.finish(evaluation, out)
    return found


async def test_rows_without_a_model(tiny_embedder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings = Settings(embed_model=f"local/{tiny_embedder}")
    results = await measured(write_wiki(tmp_path / "w"), out, *FREE, settings=settings)
    means = {system.name: {name: metric.value for name, metric in system.metrics.items()} for system in results.systems}
    assert list(means) == list(FREE)
    assert means["hybrid-equal-narrow-4"]["documents"] == means["narrow-4"]["documents"] <= 9
    assert means["narrow-4"]["title_recall"] >= means["hybrid-equal-narrow-4"]["title_recall"]
    assert means["narrow-oracle-stop"]["title_recall"] == max(
        m["title_recall"] for n, m in means.items() if "narrow" in n
    )
    for way, end in (("narrow", "controller"), ("words-shipped", "shipped")):
        mean = means[f"{way}-interpolated"]["searches"]
        assert mean == pytest.approx(means[f"{way.removesuffix('-shipped')}-{end}"]["searches"])
    assert means["fixed-3"]["searches"] <= 3
    assert (out / "frugality.png").stat().st_size > 10_000
    costs = {system.cost.calls for system in results.systems}
    assert costs == {0}, "none asks a model"


async def test_the_name_of_a_way_is_its_sweep(tmp_path: Path) -> None:
    folder = write_wiki(tmp_path / "w")
    evaluation = TWOWIKI.evaluation(EvalOptions(f"2wiki={folder}", ("feedback",)))
    assert [system.name for system in evaluation.systems] == [f"feedback-{n}" for n in range(1, 9)]
    with pytest.raises(UnknownName, match="method named 'fixd'"):
        TWOWIKI.evaluation(EvalOptions(f"2wiki={folder}", ("fixd",)))
    assert {"react", "self-ask", "ircot", "narrow-stop-agreement"} <= set(METHODS)


def replies(request: ModelRequest) -> str:
    text = request.messages[-1].content
    if "Reply with JSON only" in text:
        lines = text.splitlines()
        quote = lines[lines.index("Esbrund is a seaport town.") + 1]
        return json.dumps({"answer": quote.split()[4], "quotes": [{"passage": 1, "quote": quote}]})
    if "So the final answer is" in text:
        return "Follow up: On which coast is Esbrund?"
    return "The band comes from Esbrund. More." if "Reasoning so far: none" in text else "So the answer is: west"


async def test_models_decide_and_answer(tiny_embedder: Path, tmp_path: Path) -> None:
    settings = Settings(embed_model=f"local/{tiny_embedder}", model="scripted/m")
    options = EvalOptions(f"2wiki={write_wiki(tmp_path / 'w')}", settings=settings)
    data = load(options.dataset)
    bench = AgentBench(data, options, backend=ScriptedBackend(answer=replies))
    systems = tuple(asked(name, bench) for name in ("self-ask", "ircot", "react"))
    results = await evaluate(Evaluation("2wiki", data, systems), tmp_path / "asked")
    self_ask, ircot, react = results.systems
    assert self_ask.metrics["searches"].value == 2, "the same question again ends it"
    assert (ircot.metrics["searches"].value, ircot.metrics["finished"].value) == (2, 1)
    assert ircot.cost.calls == 2
    assert (react.metrics["malformed"].value, react.metrics["bad_replies"].value) == (1, 2)
    assert react.metrics["searches"].value == 1
    assert self_ask.metrics["malformed"].value == 0
    assert react.cost.calls == 2, "asked again once"
    row = asked("self-ask", bench).prepare().answering()  # type: ignore[attr-defined]
    first = await row.answer(data.topics[0])
    assert exact_match(first.details["answer"], "west") == first.metrics["em"] == 1
    assert first.metrics["sp_f1"] == pytest.approx(2 / 3), "one of two sentences was quoted"
    assert first.metrics["joint_f1"] == pytest.approx(2 / 3)
    assert (first.metrics["sp_em"], first.metrics["joint_em"]) == (0, 0)
    assert first.counts["calls"] == 3


async def test_a_trained_model_decides_questions_that_it_has_not_seen(
    tiny_embedder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[tuple[str, str, str]] = []

    def trained(recipe: str, dataset: str, base: str, settings: object) -> tuple[str, Path]:
        asked_for.append((recipe, dataset, base))
        return f"scripted/{recipe}", tmp_path

    monkeypatch.setattr("litrag.evals.agent_bench.trained", trained)
    said: list[str] = []

    def answer(request: ModelRequest) -> str:
        said.append(request.model)
        return "[[ ## thought ## ]]\nit is here\n\n[[ ## action ## ]]\nfinish\n\n[[ ## query ## ]]\n\n\n[[ ## completed ## ]]"

    settings = Settings(embed_model=f"local/{tiny_embedder}", model="scripted/m")
    folder = write_wiki(tmp_path / "w")
    data = load(f"2wiki={folder}")
    options = EvalOptions(f"2wiki={folder}:test", settings=settings)
    whole = AgentBench(data, options)
    with pytest.raises(BadInput, match="the trained rows learn from .*:train; evaluate .*:test"):
        asked("react-explored", whole).prepare()
    bench = AgentBench(replace(data, split="test"), options, backend=ScriptedBackend(answer=answer))
    systems = tuple(asked(name, bench) for name in ("react-explored", "react-frugal"))
    results = await evaluate(Evaluation("2wiki", bench.dataset, systems), tmp_path / "asked")
    assert asked_for == [
        ("explore", f"2wiki={folder}:train", "scripted/m"),
        ("explore", f"2wiki={folder}:train", "scripted/m"),
        ("frugal-grpo", f"2wiki={folder}:train", "scripted/explore"),
    ]
    assert set(said) == {"scripted/explore", "scripted/frugal-grpo"}
    assert [system.metrics["finished"].value for system in results.systems] == [1, 1]


def encyclopedia(folder: Path) -> Path:
    """Every page of the questions under ids of its own, and as many others that hold the same words."""
    pages = {title: " ".join(lines) for question in questions() for title, lines in question["context"]}
    pages |= {f"Coast {n}": f"Coast {n} is a coast of the island with a seaport town and a band." for n in range(20)}
    path = folder / "pages.jsonl"
    path.write_text(
        "".join(json.dumps({"id": f"p{n}", "title": t, "abstract": pages[t]}) + "\n" for n, t in enumerate(pages))
    )
    return path


async def test_questions_over_a_library(tiny_embedder: Path, tmp_path: Path, home: Path) -> None:
    settings = Settings(embed_model=f"local/{tiny_embedder}", model="scripted/m")
    path = encyclopedia(tmp_path)
    names = ("bm25-3", "bm25-18", "fixed-2", "fixed-controller")
    options = EvalOptions(f"2wiki={write_wiki(tmp_path / 'w')}", names, settings=settings, library=str(path))
    results = await evaluate(TWOWIKI.evaluation(options), tmp_path / "out")
    assert results.settings["library"] == "pages"
    assert results.settings["pages"] == 52
    assert "TF-IDF" not in terminal_table(results)
    own = await evaluate(TWOWIKI.evaluation(replace(options, methods=("bm25-3",), library="")), tmp_path / "own")
    for table in (terminal_table(own), markdown_table(own)):
        assert "distractors chosen by TF-IDF; not comparable with all of Wikipedia" in table
    few, many, hops, _ = results.systems
    assert 0 < few.metrics["title_recall"].value <= many.metrics["title_recall"].value
    assert few.metrics["documents"].value == 3
    assert hops.metrics["title_recall"].value > few.metrics["title_recall"].value, "names lead on"
    assert hops.metrics["support_token_recall"].value > few.metrics["support_token_recall"].value
    with pytest.raises(BadInput, match="not by dense alone"):
        TWOWIKI.evaluation(replace(options, methods=("dense-3",))).systems[0].prepare()
    with pytest.raises(BadInput, match="no vectors yet"):
        TWOWIKI.evaluation(replace(options, methods=("hybrid-3",))).systems[0].prepare()
    with closing(open_library(str(path))) as library:
        await fill_vectors(library, Gateway(settings, cache=RequestCache(cache_file())).embedder())

    def quoting(request: ModelRequest) -> str:
        """The first sentence of every passage."""
        shown = re.findall(r"\[(\d+)\] (.+)\n(.+?\.)", request.messages[-1].content)
        return json.dumps({"answer": "west", "quotes": [{"passage": int(n), "quote": text} for n, _, text in shown]})

    bench = AgentBench(load(options.dataset), options, backend=ScriptedBackend(answer=quoting))
    row = single("hybrid", 52, bench).prepare().answering()  # type: ignore[attr-defined]
    topic = bench.dataset.topics[0]
    read = await row.answer(topic)
    pages = read.details["ids"]
    assert {"Low_Harbour", "Esbrund"} <= set(pages)
    assert any(page not in bench.documents for page in pages), "the library holds other pages, which count"
    assert read.metrics["sp_f1"] == pytest.approx(2 / (len(pages) + 2)), "of Esbrund its second was wanted"


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")  # of the local mode
async def test_questions_over_a_library_whose_vectors_are_on_a_server(
    tiny_embedder: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way to all of Wikipedia: the same documents as from vectors here."""
    server = LastingClient(":memory:")
    monkeypatch.setattr("qdrant_client.QdrantClient", lambda **_: server)
    path, url = encyclopedia(tmp_path), "http://cluster:6333"
    spec = f"2wiki={write_wiki(tmp_path / 'w')}"
    read: list[list[object]] = []
    for place in (url, ""):
        settings = Settings(embed_model=f"local/{tiny_embedder}", model="scripted/m", qdrant_url=place or None)
        with closing(open_library(str(path))) as library:
            await fill_vectors(library, Gateway(settings, cache=RequestCache(cache_file())).embedder(), url=place)
        options = EvalOptions(spec, ("hybrid-18", "narrow-2"), settings=settings, library=str(path))
        results = await evaluate(TWOWIKI.evaluation(options), tmp_path / f"out{len(read)}")
        lines = (tmp_path / f"out{len(read)}" / "queries.jsonl").read_text().splitlines()
        read.append([json.loads(line)["details"]["ids"] for line in lines])
        assert results.systems[0].metrics["title_recall"].value > 0
    assert read[0] == read[1]
    assert len(server.get_collections().collections) == 1


async def test_musique_measures_paragraphs(tiny_embedder: Path, tmp_path: Path) -> None:
    """Its supports are whole paragraphs, and its answers know no yes or no."""
    rows = questions()
    told = [
        {
            "id": row["_id"],
            "question": row["question"],
            "answer": row["answer"],
            "answer_aliases": [],
            "question_decomposition": [],
            "paragraphs": [
                {"title": title, "paragraph_text": " ".join(lines), "is_supporting": place in (1, 2)}
                for place, (title, lines) in enumerate(row["context"])
            ],
        }
        for row in rows
    ]
    (tmp_path / "musique").mkdir()
    (tmp_path / "musique" / "kag_100.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    settings = Settings(embed_model=f"local/{tiny_embedder}", model="scripted/m")
    options = EvalOptions(f"musique={tmp_path / 'musique'}", settings=settings)
    data = load(options.dataset)

    def quoting(request: ModelRequest) -> str:
        shown = re.findall(r"\[(\d+)\] (.+)\n(.+?\.)", request.messages[-1].content)
        quotes = [{"passage": int(n), "quote": text} for n, title, text in shown if title in ("Low Harbour", "Storm 0")]
        return json.dumps({"answer": "the west coast", "quotes": quotes})

    bench = AgentBench(data, options, backend=ScriptedBackend(answer=quoting))
    row = single("bm25", 32, bench).prepare().answering()  # type: ignore[attr-defined]
    read = await row.answer(data.topics[0])
    assert "sp_f1" not in read.metrics
    assert read.metrics["support_f1"] == pytest.approx(0.5), "one of two quoted, one of two needed"
    assert read.metrics["f1"] == pytest.approx(2 / 3)
    assert read.metrics["title_recall"] == 1.0


async def test_what_reads_nothing_answers_nothing(tmp_path: Path, tiny_embedder: Path) -> None:
    settings = Settings(embed_model=f"local/{tiny_embedder}")
    options = EvalOptions(f"2wiki={write_wiki(tmp_path / 'w')}", ("narrow-interpolated+answer",), settings=settings)
    (system,) = TWOWIKI.evaluation(options).systems
    with pytest.raises(BadInput, match="nothing can be answered from it"):
        system.prepare()


def test_numbered_sentences_are_those_of_the_data_set() -> None:
    """A paragraph of one sentence is one, whatever stands in it, and an empty sentence has its number, too."""
    one = wiki_document("Low Harbour", ["Low Harbour was formed by J. Moe. It split in 1990."])
    two = wiki_document("Esbrund", ["", "Esbrund is a town.", "It lies west. It is old."])
    assert lines_of([one, two], numbered=True) == [
        *("Low Harbour was formed by J. Moe. It split in 1990.", ""),
        *("Esbrund is a town.", "It lies west. It is old."),
    ]
    assert len(lines_of([one, two], numbered=False)) == 5
    topic = Topic("q", Query("q"), {}, facts={"supporting_facts": [["Low Harbour", 0], ["Esbrund", 2]]})
    assert gold_sentences(topic, {d.id: d for d in (one, two)}) == [
        "Low Harbour was formed by J. Moe. It split in 1990.",
        "It lies west. It is old.",
    ]


def test_questions_that_share_a_needed_document_are_one_component() -> None:
    needs = {"a": {"x": 1, "y": 1}, "b": {"y": 1, "z": 1}, "c": {"z": 1}, "d": {"w": 1, "x": 0}}
    groups = components([Topic(name, Query(name), relevant) for name, relevant in needs.items()])
    assert groups["a"] == groups["b"] == groups["c"] != groups["d"], (
        "over a chain, too; what is not needed joins nothing"
    )


def test_no_classifier_ends_a_question_of_a_component_that_taught_it(
    tiny_embedder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = questions()
    twins = [{**row, "_id": f"{row['_id']}b", "question": f"Which storms saw {row['context'][2][0]}?"} for row in rows]
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "dev.json").write_text(json.dumps([*rows, *twins]))
    needs = {row["question"]: {title for title, _ in row["supporting_facts"]} for row in (*rows, *twins)}
    taught: list[set[str]] = []
    judged: list[str] = []
    fit, end = agent_bench.fitted_controller, agent_bench.stopped_at

    def needed(trail: Trail) -> set[str]:
        return needs[trail.notes.question.text]

    def fitted(trails: Sequence[Trail], **options: float) -> Controller:
        taught.append(set().union(*map(needed, trails)))
        return fit(trails, **options)

    def ended(controller: Controller, trail: Trail) -> int:
        assert not needed(trail) & taught[-1], "no page that it needs was needed by what taught"
        judged.append(trail.group)
        return end(controller, trail)

    monkeypatch.setattr(agent_bench, "fitted_controller", fitted)
    monkeypatch.setattr(agent_bench, "stopped_at", ended)
    options = EvalOptions(f"2wiki={tmp_path / 'w'}", settings=Settings(embed_model=f"local/{tiny_embedder}"))
    bench = AgentBench(load(options.dataset), options)
    ends = bench.controlled("narrow")
    assert len(judged) == len(ends) == len(bench.dataset.topics)
    dealt: list[Mapping[str, int]] = []
    monkeypatch.setattr(hop_rows, "_cut", lambda trails, ends: dealt.append(ends))
    hop_rows.random_stop("narrow", bench).prepare()
    assert sorted(dealt[0].values()) == sorted(ends.values()), "the control stops as often at each number"
