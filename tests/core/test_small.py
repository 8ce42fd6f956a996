"""Names, prompts, replies, sentences, sync: the small parts."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litrag.core import errors, sync
from litrag.core.names import KEY, citation_keys, labels, surname
from litrag.core.prompt import Prompt, neutralised
from litrag.core.replies import read_json, strings, without_reasoning
from litrag.core.sentences import sentences
from litrag.core.types import Document, Hit, Paper, Query, Ranking, Score, normalised_title


@pytest.mark.parametrize(
    ("author", "family"),
    [
        ("Bart van den Berg", "van den Berg"),
        ("Li, Fei", "Li"),
        ("Madonna", "Madonna"),
        ("Jürgen Müller Jr.", "Müller"),
        ("R. Thomas McCoy", "McCoy"),
    ],
)
def test_surnames_keep_their_particles_and_lose_their_suffixes(author: str, family: str) -> None:
    assert surname(author) == family


def test_keys_are_unique_ascii_and_labels_tell_twins_apart() -> None:
    papers = [Paper(str(i), "The Neural Parser", authors=("José Álvarez", "B", "C"), year=2021) for i in range(3)]
    assert list(citation_keys(papers).values()) == ["alvarez2021neural-a", "alvarez2021neural-b", "alvarez2021neural-c"]
    assert labels({p.id: p for p in papers})["1"].textual == "Álvarez et al. (2021b)"
    assert labels({"k": Paper("x", "No one knows who wrote this")})["k"].textual == "“No one knows who…” (n.d.)"


@given(
    st.lists(
        st.builds(
            Paper,
            id=st.uuids().map(str),
            title=st.text(max_size=30),
            authors=st.tuples(st.text(max_size=20)),
            year=st.integers(0, 2100),
            key=st.sampled_from(["", "Doe_2020", "doe_2020", "Doe_2020-a", "anonndx", "a b", "é"])
            | st.text(max_size=9),
        ),
        max_size=8,
    )
)
def test_any_papers_get_distinct_keys_that_bibtex_takes(papers: list[Paper]) -> None:
    keys = citation_keys(papers, ["Taken"])
    assert list(keys) == [paper.id for paper in papers]
    assert len({"taken", *(key.casefold() for key in keys.values())}) == len(papers) + 1
    assert all(re.fullmatch(KEY, key) for key in keys.values())


def test_the_keys_of_one_s_own_bibliography_are_kept() -> None:
    """Whoever cites from one's own .bib finds the works under the names one gave them."""
    own = [
        Paper("1", "A", key="DBLP:conf/acl/Doe_20"),
        Paper("2", "B", authors=("Doe",), key="x{y}"),
        Paper("3", "C", key="Doendb"),
    ]
    assert list(citation_keys(own).values()) == ["DBLP:conf/acl/Doe_20", "doendb-a", "Doendb"]
    assert citation_keys([Paper("4", "D", key="mine")], ["Mine"]) == {"4": "mine-a"}


def test_a_prompt_takes_exactly_its_names() -> None:
    prompt = Prompt('Say $what as {"json": 1}')
    assert prompt.fill(what="it") == 'Say it as {"json": 1}'
    with pytest.raises(ValueError, match="what"):
        prompt.fill()
    with pytest.raises(ValueError, match="more"):
        prompt.fill(what="a", more="b")
    assert prompt.hash != Prompt("Say $what").hash


def test_text_of_others_can_form_no_citation_and_end_no_block() -> None:
    """An abstract that says "see [3]" or "</papers>" must not be read as a citation or as the end of the data."""
    assert neutralised("see [3], [4, 5] </papers> <b>") == "see (3), (4, 5) ‹/papers> <b>"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('<think>{"a": 0}</think> {"a": 1}', {"a": 1}),
        ('the form is {"a": 0}, here it is: {"a": 1}', {"a": 1}),
        ('```json\n{"a": 1,}\n```', {"a": 1}),
        ("{'a': [1, 2", {"a": [1, 2]}),
        ("no", None),
    ],
)
def test_the_last_json_object_of_a_reply_counts(reply: str, value: object) -> None:
    assert read_json(reply) == value


@given(st.text(max_size=300) | st.text(alphabet='{}[]",:a1\\ \n`', max_size=80))
def test_no_reply_breaks_the_reader(reply: str) -> None:
    value = read_json(reply)
    assert value is None or isinstance(value, dict)
    assert isinstance(without_reasoning(reply), str)
    assert all(strings(value))


def test_sentences_survive_abbreviations_and_point_into_the_text() -> None:
    text = "Li et al. (2019) gain 3.5 points, e.g. on Fig. 2. We do more. "
    found = sentences(text)
    assert [s.text for s in found] == ["Li et al. (2019) gain 3.5 points, e.g. on Fig. 2.", "We do more."]
    assert all(text[s.start : s.end] == s.text for s in found)


def test_a_sync_name_works_inside_a_running_loop() -> None:
    """In a notebook the loop is already running; asyncio.run would raise there."""

    async def answer() -> int:
        return 42

    async def notebook() -> int:
        return sync.run(answer())

    assert asyncio.run(notebook()) == sync.run(answer()) == 42


async def test_side_by_side_calls_finish_before_the_first_error_is_raised() -> None:
    done: list[int] = []

    async def call(i: int) -> int:
        await asyncio.sleep(0.001 * i)
        if i == 1:
            raise ValueError(i)
        done.append(i)
        return i

    with pytest.raises(ValueError, match="1"):
        await sync.all_or_first_error([call(i) for i in range(4)])
    assert done == [0, 2, 3]


def test_exit_codes_are_those_of_the_design() -> None:
    codes = {name: getattr(errors, name).exit_code for name in errors.__all__}
    assert codes["LitragError"] == 1
    assert {codes[n] for n in ("BadInput", "UnknownName")} == {2}
    assert {
        codes[n]
        for n in (
            "EnvironmentFault",
            "MissingExtra",
            "NothingToSearch",
            "CannotWrite",
            "ModelUnavailable",
            "ModelOverloaded",
        )
    } == {3}
    assert (codes["BudgetSpent"], codes["NoEvidence"], codes["Interrupted"]) == (4, 5, 130)


def test_an_unknown_name_comes_with_the_one_that_is_spelt_nearly_so() -> None:
    found = str(errors.UnknownName("reranker", "set-wise", ("first", "setwise"), remedy="or leave it out"))
    assert (
        found == "no reranker named 'set-wise'; there is: first, setwise; perhaps you mean 'setwise'; or leave it out"
    )
    assert str(errors.UnknownName("reranker", "best", ("first",))) == "no reranker named 'best'; there is: first"


def test_a_score_is_found_by_name_and_an_ambiguous_one_is_an_error() -> None:
    hit = Hit(Document("d", "t", "x")).scored(Score(7.1, "bm25", "q1", 1), Score(3.0, "bm25", "q2", 4))
    assert hit.score("bm25", query="q2").value == 3.0
    with pytest.raises(errors.AmbiguousScore):
        hit.score("bm25")
    with pytest.raises(KeyError):
        hit.score("dense")
    with pytest.raises(ValueError, match="twice"):
        Ranking(Query("q"), (hit, hit))


def test_two_spellings_of_a_title_are_one() -> None:
    assert normalised_title("The  {BERT}-Modél: A study.") == normalised_title("the bert modèl a STUDY")
