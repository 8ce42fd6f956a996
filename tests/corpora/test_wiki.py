"""Questions over Wikipedia paragraphs: the released file, the hub's form, what is wrong with a file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from fakes.wiki import questions, write_wiki

from litrag.core.errors import BadInput, EnvironmentFault
from litrag.corpora import load


@pytest.mark.parametrize("name", ["2wiki", "hotpotqa"])
def test_the_released_file(tmp_path: Path, name: str) -> None:
    data = load(f"{name}={write_wiki(tmp_path / 'w')}")
    first = data.topics[0]
    assert (data.name, len(data.topics)) == (name, 8)
    assert first.answers == ("west",)
    assert first.relevant == {"Low_Harbour": 1, "Esbrund": 1}
    assert first.facts == {"type": "compositional", "supporting_facts": [["Low Harbour", 0], ["Esbrund", 1]]}
    pages = {document.id: document for document in data.corpus()}
    assert len(pages) == 8 * 4
    assert pages["Esbrund"].text.split("\n")[2] == "It lies on the west coast of the island."
    halves = [load(f"{name}={tmp_path / 'w'}:{split}").topics for split in ("train", "test")]
    assert sorted(t.id for half in halves for t in half) == sorted(t.id for t in data.topics)


def test_the_hubs_form_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "hub"
    folder.mkdir()
    rows = []
    for row in questions():
        titles, texts = zip(*row["context"], strict=True)
        facts = list(zip(*row["supporting_facts"], strict=True))
        rows.append(
            {
                "id": row["_id"],
                "question": row["question"],
                "answer": row["answer"],
                "type": row["type"],
                "supporting_facts": {"title": facts[0], "sent_id": facts[1]},
                "context": {"title": titles, "sentences": texts},
            }
        )
    (folder / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    hub, own = load(f"2wiki=hf:{folder}"), load(f"2wiki={write_wiki(tmp_path / 'w')}")
    assert hub.split == "validation"
    assert hub.fingerprint == own.fingerprint
    assert [d.text for d in hub.corpus()] == [d.text for d in own.corpus()]
    with pytest.raises(EnvironmentFault, match="hf:nobody/nothing, split validation: cannot be had"):
        load("2wiki=hf:nobody/nothing")


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    with pytest.raises(BadInput, match="which file of questions.* There is: none"):
        load(f"2wiki={folder}")
    for text, told in (
        ("{", "cannot be read"),
        ("{}", "is no list of questions"),
        ('[{"question": "x", "answer": "y"}]', "2wiki, question 1: KeyError"),
    ):
        (folder / "dev.json.gz").write_bytes(gzip.compress(text.encode()))
        with pytest.raises(BadInput, match=told):
            load(f"2wiki={folder}")
    (folder / "dev.json.gz").write_bytes(b"\x1f\x8bbroken")
    with pytest.raises(BadInput, match="fetch it again"):
        load(f"2wiki={folder}")
