"""`litrag verify`: the citations of Markdown and LaTeX against a bibliography."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.sat import write_sat
from fakes.shell import Shell, failure
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.pipelines.bibliography import bibliography_of
from litrag.pipelines.checking import cited_sentences

TEXT = r"""# Related work

> Written by nobody.

Dogs find truffles by their scent [@doe99, pp. 3; @roe01]. As @poe02 show, tides move sand. Write to me@example.org.
Mixed forms stand in LaTeX \citep[see][p. 2]{doe99, gone} and in links [Roe, 2001](#ref-roe01). This cites nothing.

```
code [@code]
```

## References

Roe says nothing [@unseen].
"""


def test_a_percentage_in_markdown_is_no_comment() -> None:
    assert cited_sentences("Some 90 % of dogs find truffles [@doe99].")[0].keys == ("doe99",)


def test_forms_of_citations() -> None:
    found = [(item.sentence, item.keys) for item in cited_sentences(TEXT)]
    assert found == [
        ("Dogs find truffles by their scent.", ("doe99", "roe01")),
        ("As show, tides move sand.", ("poe02",)),
        ("Mixed forms stand in LaTeX and in links.", ("doe99", "gone", "roe01")),
    ]
    latex = "\\section{Work}\nDogs run~\\cite{a-1}. % \\cite{hidden}\n\\section*{References}\n\\cite{x}"
    assert [(item.sentence, item.keys) for item in cited_sentences(latex)] == [("Dogs run .", ("a-1",))]


@pytest.mark.parametrize(
    "heading", ["## References to earlier work", "\\section{References in law}", "# Bibliography of X"]
)
def test_a_heading_that_says_more_than_references_ends_nothing(heading: str) -> None:
    cited = r"\cite{ghost}" if heading.startswith("\\") else "[@ghost]"
    assert [item.keys for item in cited_sentences(f"{heading}\n\nDogs dig {cited}.")] == [("ghost",)]
    for end in ("## References", "## references:", "# Works cited ##", "# References {-}", r"\section*{Bibliography}"):
        assert cited_sentences(f"{end}\n\nDogs dig {cited}.") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dogs dig.[@a] Tides move.[@b]", [("Dogs dig.", "a"), ("Tides move.", "b")]),
        (r"Dogs dig. \cite{a} Tides move. \cite{b}", [("Dogs dig.", "a"), ("Tides move.", "b")]),
        ("- Dogs dig [@a]\n- Cats sleep [@b]", [("Dogs dig", "a"), ("Cats sleep", "b")]),
        ("1. Dogs dig [@a]\n2) Cats sleep [@b]", [("Dogs dig", "a"), ("Cats sleep", "b")]),
        ("| Dogs [@a] |\n|---|\n| Cats [@b] |", [("Dogs |", "a"), ("Cats |", "b")]),
        (
            "\\begin{itemize}\n\\item Dogs \\cite{a}\n\\item[x] Cats \\cite{b}\n\\end{itemize}",
            [("Dogs", "a"), ("Cats", "b")],
        ),
        ("Dogs dig [@a].\n\n# Literatur\n\nCats [@b].", [("Dogs dig.", "a")]),
        ("As Doe et al. [@a] Told, dogs dig.", [("As Doe et al. Told, dogs dig.", "a")]),
    ],
)
def test_a_citation_belongs_to_what_stands_before_it(text: str, found: list[tuple[str, str]]) -> None:
    assert [(item.sentence, *item.keys) for item in cited_sentences(text)] == found


def test_what_litrag_writes_itself_is_read() -> None:
    """Its own LaTeX and its own numbers in brackets are the first that people check."""
    tex = r"\section{A} {\textquotedblleft}Dogs run far{\textquotedblright} say M\"{u}ller and others \citep{a-1}."
    assert [(c.sentence, c.keys) for c in cited_sentences(tex)] == [("“Dogs run far” say Müller and others.", ("a-1",))]
    numeric = r"Dogs run ([\[1\]](#ref-a-1), [\[2\]](#ref-b-2)). [Doe \[3\]](#ref-c-3) says so."
    assert [c.keys for c in cited_sentences(numeric)] == [("a-1", "b-2"), ("c-3",)]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab @[](){};,.#\\cite-ref\n\x00", max_size=80))
def test_any_text_is_read(text: str) -> None:
    assert all(item.keys and "\x00" not in item.sentence for item in cited_sentences(text.replace("\x00", "")))


BIB = """@article{doe99, title={Dogs and truffles}, author={Doe, J.}, year={1999}, abstract={Dogs find truffles by their scent. They were trained for 12 months.}}
@article{poe02, title={Tides}, author={Poe, E.}, year={2002}}
@article{left, title={Nobody cites this}, year={2003}, abstract={Nothing.}}
"""


@pytest.fixture
def litrag(tmp_path: Path, home: Path, no_weights: None) -> Shell:
    (tmp_path / "refs.bib").write_text(BIB)
    (tmp_path / "lib.jsonl").write_text(
        json.dumps({"id": "t", "title": "Tides", "abstract": "Tides move sand for 3 days."})
    )
    (tmp_path / "text.md").write_text(
        "Dogs were trained for 12 months [@doe99]. Dogs were trained for 13 months [@doe99]. Tides move sand for 3 days [@poe02]. Who? [@gone]"
    )
    return Shell(tmp_path, home)


def test_the_command(litrag: Shell) -> None:
    code, out, err = litrag("--json", "verify", "text.md", "--bib", "refs.bib", "--library", "lib.jsonl")
    found = json.loads(out)
    assert code == 1, err
    assert [(row["key"], row["label"]) for row in found["pairs"]] == [
        ("doe99", "unchecked"),
        ("doe99", "unsupported"),
        ("poe02", "unchecked"),
        ("gone", "missing"),
    ]
    assert found["faults"] == 2
    assert found["uncited"] == ["left"]
    code, out, err = litrag("verify", "text.md", "--bib", "refs.bib")
    assert code == 1
    assert "no abstract of poe02: unchecked" in err
    assert "4 citations: 0 supported, 2 unchecked, 1 unsupported, 1 missing" in out
    assert "cited nowhere: left" in out


def test_works_go_by_the_keys_that_exports_give_them(tmp_path: Path) -> None:
    """A text is checked against the very file whose keys litrag took over."""
    file = tmp_path / "refs.json"
    file.write_text(
        json.dumps([{"id": "http://zotero.org/1", "type": "book", "title": "Soil", "citation-key": "Berg_19"}])
    )
    assert set(bibliography_of(file, [])) == {"Berg_19"}


def test_a_quotation_that_stands_in_the_work_supports(litrag: Shell, tmp_path: Path) -> None:
    (tmp_path / "quoted.md").write_text(
        "Doe shows that “dogs find truffles by their scent” [@doe99]. Doe says “dogs find no truffles at all” [@doe99]."
    )
    _, out, _ = litrag("--json", "verify", "quoted.md", "--bib", "refs.bib")
    first, second = json.loads(out)["pairs"]
    assert (first["label"], first["method"], first["quote"]) == (
        "supported",
        "quote",
        "Dogs find truffles by their scent",
    )
    assert second["label"] == "unchecked"


def test_a_model_splits_where_rules_do_not(litrag: Shell, tmp_path: Path) -> None:
    """The citation's sentence is what the model says, so that another number is not its own."""
    write_sat(tmp_path / "sat", "dogs were trained for 12 months 99 days of tides")
    (tmp_path / "plain.md").write_text("dogs were trained for 12 months [@doe99] ; tides of 99 days")
    code, out, _ = litrag("verify", "plain.md", "--bib", "refs.bib")
    assert code == 1  # rules see one sentence, with both numbers
    assert "1 unsupported" in out
    litrag.env["LITRAG_SENTENCES"] = "sat"
    code, out, err = litrag("verify", "plain.md", "--bib", "refs.bib")
    assert code == 0, err
    assert "0 unsupported" in out
    litrag.env["LITRAG_SENTENCES"] = "nowhere"
    assert "nowhere lacks model_optimized.onnx" in failure(litrag("verify", "plain.md", "--bib", "refs.bib"), 2)


def test_what_is_wrong_is_one_line(litrag: Shell, tmp_path: Path) -> None:
    (tmp_path / "plain.md").write_text("Nothing is cited here at all.")
    assert "the text cites nothing that is known" in failure(litrag("verify", "plain.md", "--bib", "refs.bib"), 2)
    assert "gone.bib: no such file; name the file of references" in failure(
        litrag("verify", "text.md", "--bib", "gone.bib"), 2
    )
    (tmp_path / "good.md").write_text("Dogs were trained for 12 months [@doe99].")
    code, out, _ = litrag("verify", "good.md", "--bib", "refs.bib")
    assert code == 0
    assert "1 citation:" in out


def test_a_review_is_checked_against_what_it_was_written_from(litrag: Shell, tmp_path: Path) -> None:
    """references.bib holds no abstracts; evidence.json beside it does."""
    (tmp_path / "dogs.txt").write_text("Dogs and sand\n\nWe let dogs find truffles in sand that tides move.")
    code, _, err = litrag("review", "dogs.txt", "--library", "lib.jsonl", "--library", "refs.bib", "-o", "out")
    assert code == 0, err
    assert "abstract" not in (tmp_path / "out" / "references.bib").read_text()
    code, out, err = litrag("--json", "verify", "out/review.md", "--bib", "out/references.bib")
    assert code == 0, out
    assert json.loads(out)["pairs"]
    assert "no abstract of" not in err
    (tmp_path / "out" / "evidence.json").write_text("{}")
    _, _, err = litrag("--json", "verify", "out/review.md", "--bib", "out/references.bib")
    assert "no abstract of" in err


@pytest.mark.parametrize("named", [(), ("--library", "lib"), ("--library", "lib.jsonl")])
def test_abstracts_come_from_libraries(litrag: Shell, tmp_path: Path, named: tuple[str, ...]) -> None:
    assert litrag("library", "add", "lib.jsonl")[0] == 0
    (tmp_path / "tides.md").write_text("Tides move sand for 4 days [@poe02].")
    code, out, err = litrag("--json", "verify", "tides.md", "--bib", "refs.bib", *named)
    assert [row["label"] for row in json.loads(out)["pairs"]] == ["unsupported"], err
    assert code == 1
    code, _, err = litrag("verify", "tides.md", "--bib", "refs.bib", "--library", "other")
    assert code == 2
    assert "no library named 'other'" in err
