"""The example library: true facts, words of our own."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from litrag.core.types import Paper
from litrag.pipelines.contributions import contribution

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def papers(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXAMPLES / file).read_text(encoding="utf-8").splitlines()]


LIBRARY = papers("library.jsonl")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_eighty_papers_with_two_to_four_sentences_each() -> None:
    assert len({paper["id"] for paper in LIBRARY}) == len(LIBRARY) == 80
    for paper in LIBRARY:
        assert 2 <= len(re.findall(r"[.!?](?:\s|$)", paper["abstract"])) <= 4, paper["id"]
        assert paper["url"] == f"https://aclanthology.org/{paper['id']}/"


def test_each_says_what_it_contributes() -> None:
    """An abstract without a contribution sentence would stand in the demo by some other sentence of it."""
    for paper in LIBRARY:
        known = Paper(id=paper["id"], title=paper["title"], abstract=paper["abstract"], authors=tuple(paper["authors"]))
        assert contribution(known) is not None, paper["id"]


def test_the_library_of_the_recordings_is_the_first_part_of_todays() -> None:
    """Where the two disagree on a paper, one of them is wrong about it."""
    assert papers("recorded/library.jsonl") == LIBRARY[:30]


@pytest.mark.data
def test_their_facts_are_those_of_the_anthology_and_their_sentences_are_not(data_dir: Path) -> None:
    """A demo that misattributes a paper would teach the opposite of what litrag is for."""
    wanted = {paper["id"]: paper for paper in LIBRARY}
    with gzip.open(data_dir / "acl" / "papers.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = {r["id"]: r for r in map(json.loads, lines) if r["id"] in wanted}
    assert set(records) == set(wanted)
    for name, paper in wanted.items():
        record = records[name]
        facts = (record["title"], record["authors"], int(record["year"]), record["booktitle"])
        assert (paper["title"], paper["authors"], paper["year"], paper["venue"]) == facts
        source, ours = words(record["title"] + " . " + record["abstract"]), words(paper["abstract"])
        runs = {tuple(source[i : i + 6]) for i in range(len(source) - 5)}
        assert not [ours[i : i + 6] for i in range(len(ours) - 5) if tuple(ours[i : i + 6]) in runs], name


@pytest.mark.models
def test_the_readme_shows_what_the_demo_writes(tmp_path: Path) -> None:
    """At least ten papers of the library in at least three paragraphs; and the paragraph in the README is one of them."""
    from litrag import review

    result = review(EXAMPLES / "abstract.txt", library=EXAMPLES / "library.jsonl", out=tmp_path / "out")
    body = re.sub(r"\[([^\]]*)\]\(#ref-[^)]*\)", r"\1", result.text.split("## References")[0])
    paragraphs = [" ".join(block.split()) for block in body.split("\n\n") if re.search(r"\(\d{4}", block)]
    assert len(paragraphs) >= 3
    assert result.papers >= 10
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?:^> .*\n)+", readme, re.MULTILINE)
    recorded = (EXAMPLES / "recorded" / "budget" / "review.md").read_text(encoding="utf-8")
    others = [re.sub(r"\[([^\]]*)\]\(#ref-[^)]*\)", r"\1", block) for block in recorded.split("\n\n")]
    first, second = (" ".join(block.replace("> ", "").split()) for block in shown)
    assert first in paragraphs
    assert second in others
