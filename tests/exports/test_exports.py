from __future__ import annotations

import json
import re
from pathlib import Path

import bibtexparser
import pytest
from bibtexparser import middlewares
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from litrag.core.names import labels
from litrag.core.types import Claim, Draft, DraftParagraph, DraftSection, Evidence, Paper, Span, Verdict
from litrag.evals.results import Results
from litrag.exports.bibtex import bibliography
from litrag.exports.document import Exported
from litrag.exports.evidence import EvidenceFile, evidence_file
from litrag.exports.markdown import escaped, review_markdown
from litrag.exports.markers import Citation, segments
from litrag.exports.run_record import RunFile

PAPERS = {
    "alvarez2020dogs": Paper(
        "1",
        "Dogs & Drones: 50% of $x_i$ in the Wald — a Müller study",
        "x",
        ("José Álvarez", "Bart van den Berg"),
        2020,
        "Proceedings of X_Y",
        "10.1/a_b",
        url="https://x.org/a_b%20c",
    ),
    "kim2019soil": Paper("2", "Soil Maps", "x", ("A. Kim",), 2019, "Soil", arxiv_id="1901.01234"),
}


def draft(*sentences: str) -> Draft:
    claims = tuple(Claim(s, tuple(k for k in PAPERS if k in s)) for s in sentences)
    return Draft((DraftSection("", (DraftParagraph(claims),)),))


def test_citations_become_links_with_labels_and_text_stays_text() -> None:
    written = draft("@alvarez2020dogs use *dogs* [1].", "Maps help [@kim2019soil; @alvarez2020dogs].")
    text = review_markdown(Exported(draft=written, papers=PAPERS, header="By hand."))
    assert r"[Álvarez and van den Berg (2020)](#ref-alvarez2020dogs) use \*dogs\* \[1\]." in text
    assert "Maps help ([Kim, 2019](#ref-kim2019soil); [Álvarez and van den Berg, 2020](#ref-alvarez2020dogs))." in text
    assert (
        text.index('<a id="ref-kim2019soil">') < text.index('<a id="ref-alvarez2020dogs">') or text.count("<a id=") == 2
    )


def test_a_marker_of_no_known_work_is_no_citation() -> None:
    assert list(segments("See @evil and [@evil2; @kim2019soil].", PAPERS)) == [
        "See ",
        "evil",
        " and ",
        Citation(("kim2019soil",), False),
        ".",
    ]


@given(st.text(alphabet="ab[]()@*_`<>#|\\$!1.\n- ", max_size=60))
def test_text_of_others_can_form_no_markup(text: str) -> None:
    """An abstract with `[click](javascript:...)` or `<script>` must stay a text in the review."""
    safe = escaped(text)
    assert re.sub(r"\\([\\`*_\[\]<>|$#+.)>-])", r"\1", safe).replace("\\", "") == text.replace("\\", "")
    assert not re.search(r"(?<!\\)(?:\\\\)*[<\[`]", safe)


def test_an_unsupported_sentence_is_marked() -> None:
    claim = Claim(
        "@kim2019soil has 99 maps.", ("kim2019soil",), verdicts=(Verdict("kim2019soil", "unsupported", "numbers", 0.0),)
    )
    text = review_markdown(Exported(draft=Draft((DraftSection("", (DraftParagraph((claim,)),)),)), papers=PAPERS))
    assert "99 maps. **(unsupported by Kim (2019))**" in text


def test_bibtex_reads_back_as_the_same_facts() -> None:
    text = bibliography(PAPERS)
    library = bibtexparser.parse_string(text, append_middleware=[middlewares.SeparateCoAuthors()])
    assert not library.failed_blocks
    first, second = sorted(library.entries, key=lambda e: e.key)
    assert (first.key, first.entry_type, second.entry_type) == ("alvarez2020dogs", "inproceedings", "article")
    assert first["doi"] == "10.1/a_b"
    assert first["url"] == "https://x.org/a_b%20c"
    assert second["eprint"] == "1901.01234"
    assert first["title"] == r"Dogs \& Drones: 50\% of $x_i$ in the Wald {\textemdash} a M\"uller study"


@given(
    st.builds(
        Paper,
        id=st.just("i"),
        title=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40),
        authors=st.just(("A. Kim",)),
        year=st.just(2019),
    )
)
def test_any_title_gives_an_entry_that_parses(paper: Paper) -> None:
    library = bibtexparser.parse_string(bibliography({"k": paper}))
    assert not library.failed_blocks
    assert [entry.key for entry in library.entries] == ["k"]


def test_evidence_holds_quote_offsets_scores_and_verdicts() -> None:
    paper = PAPERS["kim2019soil"]
    passage = paper.passage()
    claim = Claim(
        "@kim2019soil map soil.",
        ("kim2019soil",),
        ("Soil Maps",),
        (Verdict("kim2019soil", "supported", "quote", 1.0, Span(0, 9, "Soil Maps")),),
    )
    file = evidence_file(
        Draft((DraftSection("", (DraftParagraph((claim,)),)),)),
        PAPERS,
        [Evidence("kim2019soil", passage, Span(0, 9, "Soil Maps"), "soil")],
    )
    assert file.version == 4
    (item,) = file.evidence
    assert (item.passage[item.start : item.end], item.paper.arxiv_id, item.query) == ("Soil Maps", "1901.01234", "soil")
    (record,) = file.claims
    assert (record.sentence, record.verdicts[0].label, record.verdicts[0].start) == (
        "Kim (2019) map soil.",
        "supported",
        0,
    )
    assert labels({"k": paper})["k"].parenthetical == "Kim, 2019"


@pytest.mark.parametrize(("name", "model"), [("evidence", EvidenceFile), ("run", RunFile), ("results", Results)])
def test_the_published_schemas_are_those_of_the_code(name: str, model: type[BaseModel]) -> None:
    """Others read our files; a change of their form is a change of the published schema, and of its version."""
    published = json.loads(
        (Path(__file__).resolve().parents[2] / "docs" / "schemas" / f"{name}.schema.json").read_text()
    )
    assert published == model.model_json_schema()
