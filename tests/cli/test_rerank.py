"""`litrag rerank`: each input, each format, each way in which it cannot be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.beir import write_beir
from fakes.chat import Chat, Reply, chat_server
from fakes.shell import Here, Shell, failure

from litrag.corpora.trec import read_run

WORTH = re.compile(r"worth (\d+)\.")


def worthiest(prompt: str) -> Reply:
    """Ranks by the worth that the texts tell."""
    worths = [int(worth) for worth in WORTH.findall(prompt)]
    if "yes or no" in prompt:
        return {"yes": worths[0] - 10.0, "no": -10.0}
    order = sorted(range(len(worths)), key=lambda i: -worths[i])
    return "<ranking>" + " > ".join(f"[{i + 1}]" for i in order) + "</ranking>"


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chat_server(worthiest) as chat:
        yield chat


@pytest.fixture
def litrag(tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    monkeypatch.setenv("LITRAG_RERANK_MODEL", "openai/m")
    monkeypatch.setenv("LITRAG_API_BASE", chat.url)
    return Here(tmp_path, monkeypatch, capsys)


def line(query: str, *worths: int, **more: Any) -> str:
    """A query with documents d<worth>, best first as given, with the scores n, n - 1, ..."""
    documents = [
        {"id": f"d{worth}", "title": f"Title {worth}", "text": f"worth {worth}.", "score": len(worths) - place + 0.25}
        for place, worth in enumerate(worths)
    ]
    return json.dumps({"query": query, "documents": documents, **more})


TWO = f"{line('the worthiest', 1, 3, 2)}\n\n{line('the best', 5, 4, 6, 7, id='again')}\n"


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in out.splitlines()]


def test_json_lines_come_back_in_the_models_order_with_every_score(litrag: Here, chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "first.jsonl").write_text(TWO)
    code, out, err = litrag("rerank", "first.jsonl", "-f", "jsonl")
    assert code == 0, err
    one, two = rows(out)
    assert (one["id"], one["query"], one["method"], one["placed"]) == ("q1", "the worthiest", "insertrank", 1.0)
    assert [(d["rank"], d["was"], d["id"]) for d in one["documents"]] == [(1, 2, "d3"), (2, 3, "d2"), (3, 1, "d1")]
    assert (two["id"], [d["id"] for d in two["documents"]]) == ("again", ["d7", "d6", "d5", "d4"])
    best = one["documents"][0]
    assert (best["title"], best["text"], best["score"]) == ("Title 3", "Title 3\nworth 3.", 2.25)
    assert [(s["source"], s["value"]) for s in best["scores"]] == [("first stage", 2.25), ("insertrank", 2.0)]
    assert "insertrank: 2 of 2 queries; 2 model calls (0 more from the cache)" in err
    assert len(chat.prompts) == 2


def test_what_comes_out_goes_in_again_with_the_first_stages_scores(litrag: Here, chat: Chat) -> None:
    out = litrag("rerank", "-", "-f", "jsonl", stdin=TWO)[1]
    code, again, err = litrag("rerank", "-", "-f", "jsonl", "--method", "yes-no", "--scores", "raw", stdin=out)
    assert code == 0, err
    assert [[d["id"] for d in row["documents"]] for row in rows(again)] == [
        ["d3", "d2", "d1"],
        ["d7", "d6", "d5", "d4"],
    ]
    assert any("Title 3 worth 3. (search score 2.25)" in prompt for prompt in chat.prompts[2:])


def test_the_table_is_for_people_and_a_trec_run_for_programs(litrag: Here, tmp_path: Path) -> None:
    code, table, _ = litrag("rerank", "-", "-k", "2", stdin=TWO)
    assert code == 0
    assert [each.split() for each in table.splitlines()[:4]] == [
        ["q1", "the", "worthiest"],
        ["rank", "was", "score", "document"],
        ["1", "2", "2", "Title", "3", "[d3]"],
        ["2", "3", "1", "Title", "2", "[d2]"],
    ]
    (tmp_path / "x.run").write_text(litrag("rerank", "-", "-f", "trec", stdin=TWO)[1])
    tag, run = read_run(tmp_path / "x.run")
    assert (tag, run) == (
        "litrag-insertrank",
        {"q1": ("d3", "d2", "d1"), "again": ("d7", "d6", "d5", "d4")},
    )
    whole = json.loads(litrag("--json", "rerank", "-", stdin=TWO)[1])
    assert (whole["method"], whole["stop_reason"], len(whole["queries"])) == ("insertrank", "done", 2)
    assert whole["ledger"]["cached"] == 2


RUN = "\n".join(
    f"q{topic} Q0 {topic}-{i} {rank} {9.5 - rank} bm25" for topic in (0, 1) for rank, i in enumerate((4, 2, 7), start=1)
)


def test_a_trec_run_gets_its_texts_from_a_data_set(litrag: Here, chat: Chat, tmp_path: Path) -> None:
    write_beir(tmp_path / "woods")
    chat.answer = lambda prompt: "[3] > [1] > [2]"
    code, out, err = litrag("rerank", "-", "--dataset", "woods", "-f", "jsonl", stdin=RUN)
    assert code == 0, err
    assert [row["query"] for row in rows(out)] == ["dog scent training", "aerial pictures by drones"]
    first = rows(out)[0]["documents"][0]
    assert (first["id"], first["was"], first["score"]) == ("0-7", 3, 6.5)
    assert first["scores"][0]["source"] == "bm25"
    assert all("search engine (bm25)" in prompt for prompt in chat.prompts)
    assert any("Dog Training in Practice, Part 4 The question of dog training is old." in p for p in chat.prompts)


def test_topics_that_the_data_set_lacks_are_left_out_and_told(litrag: Here, tmp_path: Path) -> None:
    write_beir(tmp_path / "woods")
    more = f"{RUN}\nq9 Q0 0-1 1 3 bm25\n"
    code, out, err = litrag("rerank", "-", "--dataset", "woods", "--method", "none", "-f", "trec", stdin=more)
    assert code == 0
    assert {each.split()[0] for each in out.splitlines()} == {"q0", "q1"}
    assert "warning: 1 of 3 topics of standard input are not in woods:test and were left out" in err


def test_the_scores_and_the_order_that_the_model_sees_are_chosen(litrag: Here, chat: Chat) -> None:
    shown = {}
    for name, options in {
        "raw": ("--scores", "raw"),
        "minmax": ("--scores", "minmax"),
        "none": ("--scores", "none"),
        "shuffled": ("--order", "shuffled", "--seed", "5"),
        "kept": ("--order", "keep"),
    }.items():
        chat.prompts.clear()
        assert litrag("rerank", "-", *options, stdin=line("q", *range(9)))[0] == 0
        shown[name] = chat.prompts[0] if chat.prompts else "from the cache"
    scores = {name: re.findall(r"search score ([\d.]+)", prompt) for name, prompt in shown.items()}
    assert scores["raw"][:2] == ["9.25", "8.25"]
    assert scores["minmax"][:2] == ["100", "88"]
    assert scores["none"] == []
    assert shown["kept"] == "from the cache", "it is what raw showed"
    assert WORTH.findall(shown["raw"]) == WORTH.findall(shown["none"]) != WORTH.findall(shown["shuffled"])
    assert sorted(WORTH.findall(shown["shuffled"])) == sorted(WORTH.findall(shown["raw"]))


def test_depth_and_the_methods_own_settings_reach_it(litrag: Here, chat: Chat) -> None:
    ten = line("q", *range(10))
    deep = rows(litrag("rerank", "-", "--depth", "4", "-f", "jsonl", stdin=ten)[1])[0]["documents"]
    assert [d["id"] for d in deep[:5]] == ["d3", "d2", "d1", "d0", "d4"]
    chat.prompts.clear()
    assert litrag("rerank", "-", "--set", "window=4", "--set", "stride=2", stdin=ten)[0] == 0
    assert [len(WORTH.findall(prompt)) for prompt in chat.prompts] == [4, 4, 4, 4]


def test_a_model_that_ranks_little_is_told(litrag: Here, chat: Chat) -> None:
    """What it left open stays in the first stage's order, which looks like a ranking of its own."""
    chat.answer = lambda prompt: "[2]"
    code, _, err = litrag("rerank", "-", stdin=TWO)
    assert code == 0
    told = "warning: the model placed only 29% of what it was shown for q1, again: a model that cannot rank looks like"
    assert told in err


FIVE = "".join(line(f"query {number}", 1, 2, 3) + "\n" for number in range(5))


def test_a_budget_that_ends_half_way_keeps_what_was_paid_for_and_the_same_command_goes_on(
    litrag: Here, chat: Chat
) -> None:
    spent = litrag("rerank", "-", "-f", "jsonl", "--max-calls", "2", stdin=FIVE)
    assert "calls: 2 of 2 spent; 3 of 5 queries are left; raise --max-calls and give the same" in failure(spent, 4)
    assert [row["id"] for row in rows(spent[1])] == ["q1", "q2"]
    code, out, err = litrag("rerank", "-", "-f", "jsonl", "--max-calls", "3", stdin=FIVE)
    assert code == 0
    assert [row["id"] for row in rows(out)] == ["q1", "q2", "q3", "q4", "q5"]
    assert "5 of 5 queries; 3 model calls (2 more from the cache)" in err
    assert len(chat.prompts) == 5


def test_with_json_a_spent_budget_is_one_object(litrag: Here) -> None:
    code, out, _ = litrag("--json", "rerank", "-", "--max-calls", "1", stdin=FIVE)
    whole = json.loads(out)
    assert (code, len(whole["queries"])) == (4, 1)
    assert whole["stop_reason"].startswith("budget: calls: 1 of 1 spent; 4 of 5 queries are left")


def test_calls_that_reserve_more_than_they_take_do_not_end_the_budget_for_each_other(litrag: Here) -> None:
    """Five queries at once reserve 5 x 1,000 tokens and take 200 each: one after the other they fit."""
    code, out, err = litrag("rerank", "-", "-f", "jsonl", "--max-tokens", "2500", stdin=FIVE)
    assert code == 0, err
    assert len(rows(out)) == 5


def test_a_fault_half_way_keeps_what_is_done(litrag: Here, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITRAG_CONCURRENCY", "1")
    chat.answer = lambda prompt: None if "query 2" in prompt else worthiest(prompt)
    result = litrag("rerank", "-", "-f", "jsonl", stdin=FIVE)
    assert "refused request" in failure(result, 3)
    assert [row["id"] for row in rows(result[1])] == ["q1", "q2"]
    assert "3 of 5 queries are left; give the same command again" in result[2]


@pytest.mark.parametrize(
    ("arguments", "text", "told"),
    [
        ((), "", "standard input is empty; give JSON Lines"),
        ((), " \n\n", "standard input is empty"),
        ((), f"[{line('q', 1)}]", "holds a JSON list; write one object a line"),
        ((), line("q", 1) + "\n{", "standard input, line 2: Invalid JSON: EOF while parsing an object at line 1"),
        ((), '{"documents": []}', "line 1: query: Field required; a line is {"),
        ((), '{"query": "", "documents": []}', "line 1: query: String should have at least 1 character"),
        ((), '{"query": "q"}', "line 1: documents: Field required"),
        ((), '{"query": "q", "documents": [{"id": "a"}]}', "line 1: documents.0.text: Field required"),
        ((), '{"query": "q", "documents": ["a"]}', "line 1: documents.0: Input should be"),
        ((), '{"query": "q", "documents": [{"id": "a", "text": "", "score": "x"}]}', "documents.0.score: Input should"),
        ((), '{"query": "q", "documents": [{"id": "a", "text": "", "score": NaN}]}', "documents.0.score: Input should"),
        ((), line("q", 1, 1), "line 1: document 'd1' stands twice"),
        (
            (),
            '{"query": "q", "documents": [{"id": "a", "text": "x", "score": 1}, {"id": "b", "text": "y"}]}',
            "'b' has no score, others have",
        ),
        ((), line("q", 1, id="q2") + "\n" + line("q", 2), "line 2: a query with the id 'q2' stands above"),
        (("--dataset", "woods"), line("q", 1), "standard input is JSON Lines, which bring their own texts"),
        ((), RUN, "standard input is a TREC run, which holds no texts; name the data set that has them: --dataset"),
        ((), "q0 Q0 0-1 1 2.5\n", "standard input, line 1: 5 columns; a run has topic"),
        (("--dataset", "woods"), "q9 Q0 0-1 1 2.5 t\n", "ranks no topic of woods:test; check --dataset"),
        (("--dataset", "woods"), "q0 Q0 no 1 2.5 t\n", "document 'no' of topic 'q0' is not in the corpus of woods"),
        (("--dataset", "nosuch"), RUN, "no data set named 'nosuch'"),
        (("-f", "bib"), TWO, "no format named 'bib'; there is: jsonl, table, trec"),
        (("-f", "trec"), line("q", 1, id="a b"), "id 'a b': a TREC run holds no id with blanks"),
        (("--method", "best"), TWO, "no reranker named 'best'"),
        (
            ("--method", "setwise", "--scores", "raw"),
            TWO,
            "--scores is nothing to the reranker setwise; those that take it: first, insertrank, yes-no",
        ),
        (
            ("--method", "yes-no", "--order", "shuffled"),
            TWO,
            "--order is nothing to the reranker yes-no; those that take it: first, insertrank",
        ),
        (("--scores", "log"), TWO, "no --scores named 'log'; there is: minmax, none, rank, raw, z"),
        (("--order", "sorted"), TWO, "no --order named 'sorted'; there is: keep, shuffled"),
        (("--scores", "raw"), '{"query": "q", "documents": [{"id": "a", "text": "x"}]}', "the documents have no score"),
        (("--set", "windows=3"), TWO, "reranker insertrank has no setting 'windows'; there is: source"),
        (("--set", "window"), TWO, "--set 'window': write NAME=VALUE"),
        (("--scores", "raw", "--set", "scale=z"), TWO, "--set scale: --scores or --order says it already"),
    ],
)
def test_what_cannot_be_is_one_line_before_any_call(
    litrag: Here, chat: Chat, tmp_path: Path, arguments: tuple[str, ...], text: str, told: str
) -> None:
    write_beir(tmp_path / "woods")
    result = litrag("rerank", "-", *arguments, stdin=text)
    assert told in failure(result, 2)
    assert (result[1], chat.prompts) == ("", [])


def test_files_that_cannot_be_read_are_named(litrag: Here, tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8b\x08")
    (tmp_path / "bad.jsonl").write_text("{")
    assert "nosuch.run: no such file; give the path of a text file that holds the first stage's results" in failure(
        litrag("rerank", "nosuch.run"), 2
    )
    assert "x.gz is a gzip file, not text" in failure(litrag("rerank", "x.gz"), 2)
    assert "bad.jsonl, line 1: Invalid JSON" in failure(litrag("rerank", "bad.jsonl"), 2)


def test_without_any_model_the_order_stays_and_is_said_to(tmp_path: Path, home: Path, no_weights: None) -> None:
    shell = Shell(tmp_path, home)
    code, out, err = shell("rerank", "-", "-f", "trec", stdin=TWO)
    assert code == 0, err
    assert [each.split()[2] for each in out.splitlines()[:3]] == ["d1", "d3", "d2"]
    assert "warning: the order is the first stage's: no model was named (--rerank-model M)" in err
    assert "none: 2 of 2 queries; 0 model calls" in err
    assert "no model for the role rerank" in failure(shell("rerank", "-", "--method", "setwise", stdin=TWO), 2)
