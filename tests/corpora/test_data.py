from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.beir import write_beir

from litrag.core.errors import BadInput, EnvironmentFault, UnknownName
from litrag.corpora import load
from litrag.retrievers.bm25 import bm25_over


def lines(path: Path, *rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_beirs_layout(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "forest")
    for spec in (str(folder), f"{folder}:test"):
        dataset = load(spec)
        assert (dataset.name, dataset.split) == ("forest", "test")
        assert [topic.id for topic in dataset.topics] == ["q0", "q1", "q2", "q3"], "a query without judgement is none"
        assert dataset.topics[1].relevant == {"1-0": 2, "1-2": 1, "1-4": 1, "1-6": 1, "1-8": 1}
    documents = list(dataset.corpus())
    assert len(documents) == 40 == len(list(dataset.corpus())), "the corpus can be read again"
    assert documents[0].text.startswith("Dog Training in Practice, Part 0\n")
    with pytest.raises(BadInput, match="no split 'dev'; there is: test"):
        load(f"{folder}:dev")


def test_a_folder_in_the_hubs_form_is_read_by_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "forest"
    lines(folder / "corpus.jsonl", {"_id": "a", "title": "T", "text": "x"}, {"_id": "b", "title": "", "text": "y"})
    lines(folder / "queries.jsonl", {"_id": "q", "text": "what"})
    lines(folder / "qrels.jsonl", {"query-id": "q", "corpus-id": "b", "score": 1})
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: {split}\n    path: {file}.jsonl\n"
        for name, split, file in (
            ("default", "test", "qrels"),
            ("corpus", "corpus", "corpus"),
            ("queries", "queries", "queries"),
        )
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    dataset = load(f"hf:{folder}")
    assert dataset.topics[0].relevant == {"b": 1}
    assert [d.text for d in dataset.corpus()] == ["T\nx", "y"]
    with pytest.raises(EnvironmentFault, match="give a folder in BEIR's layout"):
        load(f"hf:{folder}:dev")


def test_the_layouts_of_the_named_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITRAG_DATA", str(tmp_path))
    paper = {"abstract": "about", "authors": [], "venue": "v", "booktitle": "b"}
    acl = [
        {"id": name, "title": f"T {name}", "year": year, **paper}
        for name, year in (("a", 2018), ("b", 2019), ("c", 2001))
    ]
    lines(tmp_path / "acl" / "papers.jsonl.gz", *acl)
    lines(tmp_path / "acl" / "citations.jsonl.gz", {"id": "a", "cites": ["c"]}, {"id": "b", "cites": ["a", "c"]})
    whole, train, test = load("acl"), load("acl:train"), load("acl:test")
    assert [[t.id for t in d.topics] for d in (whole, train, test)] == [["a", "b"], ["a"], ["b"]]
    query = whole.topics[0].query
    assert (query.text, str(query.before), query.exclude) == ("T a\nabout", "2019-01-01", {"a"})

    lines(tmp_path / "scifact" / "corpus.jsonl", {"_id": "4", "title": "T", "sentences": ["One. ", " Two."]})
    lines(tmp_path / "scifact" / "test.queries.jsonl", {"_id": "1", "text": "claim"})
    (tmp_path / "scifact" / "test.qrels.txt").write_text("1 0 4 1\n")
    assert load("scifact").topics[0].relevant == {"4": 1}
    assert [d.text for d in load(str(tmp_path / "scifact")).corpus()] == ["T\nOne. Two."]

    hit = {"docid": "9", "score": 7.5, "rank": 1, "content": "passage"}
    lines(tmp_path / "trec_dl" / "dl19.bm25.top100.jsonl.gz", {"qid": "1", "query": "q", "hits": [hit]})
    (tmp_path / "trec_dl" / "dl19.qrels.txt").write_text("1 Q0 9 3\n")
    (topic,) = load("trec-dl19").topics
    assert topic.candidates is not None
    assert topic.candidates.hits[0].score("bm25").value == 7.5
    assert topic.relevant == {"9": 3}

    question = {"_id": "h", "question": "who", "answer": "she", "type": "bridge", "level": "hard"}
    lines(tmp_path / "hotpotqa" / "questions.jsonl", {**question, "supporting_facts": [["A B", 0], ["A B", 1]]})
    lines(tmp_path / "hotpotqa" / "corpus.jsonl", {"_id": "A B", "title": "A B", "sentences": ["One.", " Two."]})
    hotpot = load("hotpotqa")
    assert hotpot.topics[0].relevant == {"A_B": 1}
    assert [d.id for d in hotpot.corpus()] == ["A_B"]

    paragraphs = [
        {"idx": i, "title": f"P {i}", "paragraph_text": f"text {i}", "is_supporting": i == 1} for i in range(3)
    ]
    row = {"id": "m", "question": "q", "answer": "a", "answer_aliases": ["b"], "paragraphs": paragraphs}
    lines(tmp_path / "musique" / "kag_100.jsonl", {**row, "question_decomposition": []})
    (topic,) = load("musique").topics
    assert ([name.split("#")[0] for name in topic.relevant], topic.answers) == (["P_1"], ("a", "b"))
    full = {**row, "question_decomposition": [], "answerable": True}
    twin = {**full, "answerable": False, "paragraphs": [{**p, "is_supporting": False} for p in paragraphs]}
    lines(tmp_path / "full" / "musique_full_v1.0_dev.jsonl", full, twin)
    lines(tmp_path / "hub" / "validation.jsonl", full, twin)
    released, hub = load(f"musique={tmp_path / 'full'}"), load(f"musique=hf:{tmp_path / 'hub'}")
    assert [t.relevant for t in released.topics] == [topic.relevant], "what cannot be answered is not asked"
    assert (hub.split, hub.topics) == ("validation", released.topics)
    assert [d.id for d in hub.corpus()] == [d.id for d in released.corpus()] == [d.id for d in load("musique").corpus()]
    lines(tmp_path / "full" / "musique_ans_v1.0_dev.jsonl", full)
    columns = {name: [p[name] for p in paragraphs] for name in paragraphs[0]}
    lines(tmp_path / "columns" / "validation.jsonl", {**full, "paragraphs": columns})
    assert load(f"musique=hf:{tmp_path / 'columns'}").topics == released.topics
    lines(tmp_path / "blind" / "test.jsonl", {**full, "paragraphs": [{"idx": 0, "title": "P", "paragraph_text": "t"}]})
    with pytest.raises(BadInput, match=r"musique, question 1: KeyError\('is_supporting'\); it takes"):
        load(f"musique={tmp_path / 'blind'}")
    with pytest.raises(BadInput, match="no kag_100.jsonl"):
        load(f"musique={tmp_path / 'gone'}")
    with pytest.raises(BadInput, match=r"which file of questions\? .* call it dev.jsonl"):
        load(f"musique={tmp_path / 'full'}")

    turns = [
        {"History": ["Page", "Section"], "Question": "q1", "Rewrite": "r1"},
        {"History": ["Page", "Section", "q1", "a1"], "Question": "q2", "Rewrite": "r2"},
        {"History": ["Page", "Section", "q1", "a1", "q2", "a2"], "Question": "q3", "Rewrite": "r3"},
    ]
    lines(
        tmp_path / "canard" / "dev.jsonl",
        *({"QuAC_dialog_id": "d", "Question_no": i, **t} for i, t in enumerate(turns, 1)),
    )
    canard = load("canard")
    assert [(t.query.text, t.query.history, t.answers, t.facts["rewrite"]) for t in canard.topics] == [
        ("q1", (), ("a1",), "r1"),
        ("q2", ("q1", "a1"), ("a2",), "r2"),
    ], "the last turn's answer stands nowhere"
    assert {d.id for d in canard.corpus()} == {name for t in canard.topics for name in t.relevant}

    ctx = {"title": "C", "text": "cited"}
    lines(
        tmp_path / "scholarqa_multi" / "human_answers.jsonl",
        {"id": "s", "input": "q", "output": "a", "ctxs": [ctx, ctx], "subject": "x", "annotator": "y"},
    )
    scholar = load("scholarqa-multi")
    assert len(scholar.topics[0].relevant) == 1 == len(list(scholar.corpus()))


def test_unknown_sets_missing_data_and_broken_lines_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownName, match="no data set named 'scifcat'; there is: .*acl"):
        load("scifcat")
    with pytest.raises(UnknownName, match="NAME=FOLDER"):
        load(str(tmp_path))
    with pytest.raises(BadInput, match=r"no test.qrels.txt"):
        load(f"scifact={tmp_path}")
    monkeypatch.setenv("LITRAG_DATA", str(tmp_path / "gone"))
    with pytest.raises(EnvironmentFault, match="set LITRAG_DATA"):
        load("scifact")
    folder = write_beir(tmp_path / "b")
    (folder / "queries.jsonl").write_text('{"_id": "q0", "text": "x"}\n{"_id"\n')
    with pytest.raises(BadInput, match="line 2: no JSON"):
        load(str(folder))


async def test_windows_of_answers_and_the_same_without_the_turns_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITRAG_DATA", str(tmp_path))
    told = ["tides", "snails", "I don't know.", "storms", "dunes", "reeds"]
    said: list[str] = ["Bay", "Survey"]
    turns = []
    for number, answer in enumerate([*told, "unheard"], start=1):
        row = {"History": list(said), "Question": f"q{number}", "Rewrite": f"r{number}"}
        turns.append({"QuAC_dialog_id": "d", "Question_no": number, **row})
        said += [f"q{number}", answer]
    lines(tmp_path / "canard" / "dev.jsonl", *turns)
    whole, left = load("canard-windows"), load("canard-unanswered")
    windows = {document.id: document.text for document in whole.corpus()}
    assert sorted(windows.values()) == [
        "Bay, Survey\nsnails storms dunes".replace("snails storms dunes", text)
        for text in ("storms dunes reeds", "tides snails storms")
    ], "three after three, the last three where some are left over"
    by_answer = {topic.answers[0]: topic for topic in whole.topics}
    assert set(by_answer) == {"tides", "snails", "storms", "dunes", "reeds"}, "what nobody knows has no passage"
    assert len(by_answer["storms"].relevant) == 2
    assert [t.id for t in whole.topics] == [t.id for t in left.topics], "both conditions ask the same"
    retriever = bm25_over(left.corpus())
    for topic in left.topics:
        (own,) = topic.answers
        (ranking,) = await retriever.retrieve([replace(topic.query, text="bay survey " + " ".join(told))], 10)
        found = {hit.document.id: hit.document.text for hit in ranking.hits}
        assert set(topic.relevant) <= set(found)
        assert not any(own in text.split() for text in found.values()), "the answer stands nowhere"
        others = {name for name in windows if own not in windows[name].split()}
        assert set(found) == others | set(topic.relevant), "of other turns the windows as they are, no rests"


def test_a_section_that_two_dialogues_tell_does_not_give_the_answer_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITRAG_DATA", str(tmp_path))
    talks = {
        "one": ("the high tides of the bay", "snails of the reef", "storms in winter", "unheard"),
        "two": ("Some speak of the high tides of the bay; others do not", "whales pass by", "dunes move on", "unheard"),
        "apart": ("mountains", "a lake", "the bay tides", "unheard"),
    }
    turns = []
    for name, answers in talks.items():
        said = ["Inland" if name == "apart" else "Bay", f"Survey {name}"]
        for number, answer in enumerate(answers, start=1):
            row = {"History": list(said), "Question": f"q{number}", "Rewrite": f"r{number}"}
            turns.append({"QuAC_dialog_id": name, "Question_no": number, **row})
            said += [f"q{number}", answer]
    lines(tmp_path / "canard" / "dev.jsonl", *turns)
    left = load("canard-unanswered")
    texts = {document.id: document.text for document in left.corpus()}
    asked = {topic.id: topic for topic in left.topics}
    assert sorted(texts[name].split("\n")[0] for name in asked["one#1"].query.exclude) == [
        "Bay, Survey one",
        "Bay, Survey two",
    ], "both windows of the page that hold its answer, whatever stands around it"
    assert [texts[name] for name in asked["one#1"].relevant] == ["Bay, Survey one\nsnails of the reef storms in winter"]
    assert [texts[name].split("\n")[0] for name in asked["two#1"].query.exclude] == ["Bay, Survey two"]
    assert [t.id for t in load("canard-windows").topics] == [t.id for t in left.topics]


@pytest.mark.data
@pytest.mark.parametrize(
    ("spec", "topics", "documents"),
    [
        ("scifact", 300, 5_183),
        ("scifact:train", 809, 5_183),
        ("acl", 826, 60_416),
        ("trec-dl19", 43, None),
        ("trec-dl20", 54, None),
        ("hotpotqa", 600, 13_179),
        ("musique", 100, None),
        ("canard", 2_940, None),
        ("canard-windows", 2_485, None),
        ("canard-unanswered", 2_485, None),
        ("scholarqa-multi", 72, None),
    ],
)
def test_the_real_sets_are_whole(data_dir: Path, spec: str, topics: int, documents: int | None) -> None:
    """What is judged relevant is in the corpus, but where TREC judged passages that BM25's first 100 lack."""
    dataset = load(spec)
    corpus = {document.id for document in dataset.corpus()}
    assert len(dataset.topics) == topics
    assert documents in (None, len(corpus))
    if not spec.startswith("trec"):
        assert {name for topic in dataset.topics for name in topic.relevant} <= corpus


@pytest.mark.data
@pytest.mark.parametrize("name", ["acl", "canard", "canard-unanswered", "hotpotqa", "musique", "scholarqa-multi"])
def test_train_and_test_share_no_group_and_are_the_whole(data_dir: Path, name: str) -> None:
    parts = [load(f"{name}:{part}").topics for part in ("train", "test", "all")]
    groups = [{topic.group for topic in part} for part in parts]
    assert not groups[0] & groups[1]
    assert groups[0] | groups[1] == groups[2]
    assert min(len(part) for part in parts[:2]) > 0


@pytest.mark.data
@pytest.mark.parametrize(("name", "topics"), [("scifact", 107), ("acl", 642)])
def test_new_is_test_without_what_train_asks_for(data_dir: Path, name: str, topics: int) -> None:
    """Two thirds of SciFact's test claims ask for an abstract that a train claim asks for: memory alone looks like a better retriever."""
    train, test, new = (load(f"{name}:{part}").topics for part in ("train", "test", "new"))
    known = {document for topic in train for document in topic.relevant}
    whole = {topic.id: topic for topic in test}
    assert len(new) == topics
    for topic in new:
        assert topic.relevant
        assert set(topic.relevant) == set(whole[topic.id].relevant) - known
        assert topic.query == whole[topic.id].query
