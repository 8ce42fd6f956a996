"""CAR: rewrites of ambiguous queries are kept, learned beside the originals, and judged by none of the query's other documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.acl import write_acl
from fakes.shell import Here

from litrag.core.errors import BadInput
from litrag.core.events import silent
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.sync import run
from litrag.corpora import load
from litrag.models.gateway import Gateway
from litrag.models.request import ModelRequest
from litrag.models.scripted import ScriptedBackend
from litrag.rewriters.ambiguity import AmbiguityModel, ambiguous, leans
from litrag.training import car as recipe
from litrag.training.collection import Collection
from litrag.training.config import TrainConfig
from litrag.training.kit import train
from litrag.training.run import Trained

pytest.importorskip("sentence_transformers")


@pytest.fixture
def acl(tmp_path: Path) -> str:
    return f"acl={write_acl(tmp_path / 'acl', few_words=True)}"


def taught(spec: str, base: Path, folder: Path, **own: Any) -> Trained:
    config = TrainConfig(
        recipe="car",
        base=f"local/{base}",
        dataset=f"{spec}:train",
        tuning="head",
        learning_rate=1e-2,
        max_steps=2,
        batch_size=4,
        held_out=0.0,
        device="cpu",
        own=own,
    )
    return train(config, folder, resume=True)


def rows(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "rewrites.jsonl").read_text().splitlines()]


def test_terms_are_appended_and_learned_beside_the_originals(
    acl: str, tiny_embedder: Path, tmp_path: Path, home: Path
) -> None:
    plain = taught(acl, tiny_embedder, tmp_path / "plain", ambiguous="none")
    result = taught(acl, tiny_embedder, tmp_path / "run", form="terms", ambiguous="all", documents=2)
    made = rows(tmp_path / "run")
    topics = {topic.id: topic for topic in load(f"{acl}:train").topics}
    assert rows(tmp_path / "plain") == []
    assert made
    assert result.facts["queries"] == plain.facts["queries"] + len(made)
    for row in made:
        topic = topics[row["id"]]
        assert row["document"] in topic.relevant
        assert row["text"].startswith(topic.query.text.rstrip(" ?."))
        assert row["text"] != topic.query.text
    data = run(
        Collection.of(
            f"{acl}:train", f"local/{tiny_embedder}", silent, rewrites=str(tmp_path / "run" / "rewrites.jsonl")
        )
    )
    for sample in data.samples[len(topics) :]:
        (own,) = sample.positives
        parent = next(s for s in data.samples if s.query.text == sample.query.parent)
        assert own in parent.positives
        assert not any(data.allowed(sample)[place] for place in parent.positives if place != own), "no false negatives"
        assert sample.place == parent.place, "held out with its original"


def test_a_random_document_gives_other_words(acl: str, tiny_embedder: Path, tmp_path: Path, home: Path) -> None:
    taught(acl, tiny_embedder, tmp_path / "own", form="terms", ambiguous="all")
    taught(acl, tiny_embedder, tmp_path / "random", form="terms", ambiguous="all", document="random")
    own, other = (
        {(row["id"], row["document"]): row["text"] for row in rows(tmp_path / name)} for name in ("own", "random")
    )
    both = set(own) & set(other)
    assert both
    assert any(own[pair] != other[pair] for pair in both)


def test_a_language_model_chooses_and_the_stage_is_kept(
    acl: str, tiny_embedder: Path, tiny_gpt2: Path, tmp_path: Path, home: Path
) -> None:
    own = {"ambiguous": "all", "documents": 1, "model": f"local/{tiny_gpt2}"}
    taught(acl, tiny_embedder, tmp_path / "run", **own)
    kept = (tmp_path / "run" / "rewrites.jsonl").stat().st_mtime_ns
    (tmp_path / "run" / "training.json").unlink()
    taught(acl, tiny_embedder, tmp_path / "run", **own)
    assert (tmp_path / "run" / "rewrites.jsonl").stat().st_mtime_ns == kept


@pytest.mark.parametrize("document", ["relevant", "random", "none"])
def test_a_language_model_writes_with_just_that_document(
    acl: str, tiny_embedder: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, document: str
) -> None:
    topics = {topic.id: topic for topic in load(f"{acl}:train").topics}
    corpus = {item.id: item for item in load(f"{acl}:train").corpus()}
    asked: list[str] = []

    def answer(request: ModelRequest) -> str:
        """The query with the longest word of what is shown; of every second one nothing of use."""
        prompt = request.messages[-1].content
        asked.append(prompt)
        shown = re.search(r"<document>\n(.*?)\n</document>", prompt, re.DOTALL)
        query = re.search(r"<query>\n(.*?)\n</query>", prompt, re.DOTALL)
        assert query
        words = re.findall(r"\w+", shown[1] if shown and shown[1].strip() else "unheardof")
        return f"{query[1]} {max(words, key=len)}" if len(asked) % 2 else "I cannot."

    backend = ScriptedBackend(answer=answer)
    gateway = Gateway(Settings(rewrite_model="scripted/m"), cache=RequestCache(":memory:"), backend=backend)
    monkeypatch.setattr(recipe, "_gateway", lambda own: gateway)
    taught(acl, tiny_embedder, tmp_path / "run", form="write", ambiguous="all", documents=1, document=document)
    made = rows(tmp_path / "run")
    assert 0 < len(made) < len(asked), "what is no rewrite is left out"
    assert all(row["text"].startswith(topics[row["id"]].query.text) for row in made)
    own = {corpus[name].text for topic in topics.values() for name, grade in topic.relevant.items() if grade > 0}
    shown = [re.search(r"<document>\n(.*?)\n</document>", prompt, re.DOTALL)[1] for prompt in asked]  # type: ignore[index]
    if document == "relevant":
        assert set(shown) <= own
    elif document == "random":
        assert set(shown) <= {item.text for item in corpus.values()}
        assert set(shown) - own
    else:
        assert set(shown) == {""}
        assert {row["text"].split()[-1] for row in made} == {"unheardof"}


def test_chosen_rewrites_add_a_phrase_of_the_document(
    acl: str, tiny_embedder: Path, tiny_gpt2: Path, tmp_path: Path, home: Path
) -> None:
    corpus = {item.id: item for item in load(f"{acl}:train").corpus()}
    topics = {topic.id: topic for topic in load(f"{acl}:train").topics}
    taught(acl, tiny_embedder, tmp_path / "run", ambiguous="all", documents=1, model=f"local/{tiny_gpt2}")
    made = rows(tmp_path / "run")
    assert made
    for row in made:
        known = topics[row["id"]].query.text.rstrip(" ?.")
        assert row["text"].startswith(known)
        assert row["text"] != known
        assert set(row["text"].removeprefix(known).casefold().split()) <= set(
            re.findall(r"[\w-]+", corpus[row["document"]].text.casefold())
        )


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("IT outsourcing contracts of large public companies in Europe", False),
        ("What did it do in Europe", True),
        ("WHAT DID IT DO", True),
        ("What did she find there", True),
    ],
)
def test_capitals_are_no_pronoun(text: str, points: bool) -> None:
    assert leans(text) == points


def test_the_share_judged_ambiguous_is_told_whoever_judges(
    acl: str, tiny_embedder: Path, tiny_gpt2: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def odd(self: AmbiguityModel, text: str) -> bool:
        """A model of this size has no token for yes."""
        return len(text) % 2 == 1

    monkeypatch.setattr(AmbiguityModel, "judge", odd)
    topics = load(f"{acl}:train").topics
    judged: dict[str, Callable[[str], bool]] = {
        "rules": ambiguous,
        "leans": leans,
        "model": lambda text: len(text) % 2 == 1,
        "all": lambda text: True,
        "none": lambda text: False,
    }
    for name, judge in judged.items():
        own = {"form": "terms", "ambiguous": name, "model": f"local/{tiny_gpt2}"}
        result = taught(acl, tiny_embedder, tmp_path / name, **own)
        told = [json.loads(line) for line in (tmp_path / name / "judged.jsonl").read_text().splitlines()]
        assert told == [{"id": t.id, "ambiguous": judge(t.query.text)} for t in topics]
        assert result.facts["judged"] == len(topics)
        assert result.facts["ambiguous"] == sum(row["ambiguous"] for row in told)
        assert result.facts["rewrites"] == len(rows(tmp_path / name))


def test_what_cannot_be_is_said(acl: str, tiny_embedder: Path, tmp_path: Path, home: Path) -> None:
    with pytest.raises(BadInput, match="only form=write does"):
        taught(acl, tiny_embedder, tmp_path / "run", document="none")
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"id": "nobody", "document": "x", "text": "y"}\n')
    with pytest.raises(BadInput, match=r"line 1: no rewrite of a topic"):
        run(Collection.of(f"{acl}:train", f"local/{tiny_embedder}", silent, rewrites=str(wrong)))


def test_the_commands_train_it_and_measure_what_came_of_it(
    acl: str,
    tiny_embedder: Path,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    litrag = Here(tmp_path, monkeypatch, capsys)
    size = ("--tuning", "head", "--max-steps", "2", "--batch-size", "4", "--held-out", "0", "--device", "cpu")
    own = ("--set", "form=terms", "--set", "ambiguous=all")
    code, out, err = litrag(
        "train", "car", "--dataset", f"{acl}:train", "--base", f"local/{tiny_embedder}", *size, *own, "-o", "mine"
    )
    assert code == 0, err
    name = out.splitlines()[-1].removeprefix("model: ")
    monkeypatch.setenv("LITRAG_EMBED_MODEL", name)
    code, out, err = litrag("eval", "retrieval", "--dataset", f"{acl}:test", "--method", "dense", "-o", "measured")
    assert code == 0, err
    (row,) = json.loads((tmp_path / "measured" / "results.json").read_text())["systems"]
    assert row["name"] == "dense"
    assert row["settings"]["model"].startswith(f"local/{tiny_embedder}+"), "not taken for the one that it came from"
    assert str(tmp_path / "mine") not in row["settings"]["model"], "the same weights elsewhere are the same row"
    assert row["cost"]["calls"] == 0, "no rewriter and no language model: the ranker alone"
