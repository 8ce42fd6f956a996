from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fakes.hostile import TEXTS, reviews
from fakes.reviews import made_up
from hypothesis import HealthCheck, Phase, given, settings

from litrag.core.types import Paper
from litrag.exports.bibtex import bibliography
from litrag.exports.document import Exported
from litrag.exports.latex import related_work_latex, review_latex
from litrag.exports.latex_text import field, latex, protected

DANGEROUS = re.compile(
    r"\\(?:input|include|write|csname|def|let|end|begin|catcode|openin|read|immediate|special|url)\b"
)


@given(TEXTS)
def test_no_command_of_others_gets_into_the_file(text: str) -> None:
    r"""A title with \input could read the files of whoever compiles the review."""
    made = latex(text)
    assert not DANGEROUS.search(made)
    assert "^^" not in made
    assert len(re.findall(r"(?<!\\)\$", made)) % 2 == 0
    depth = 0
    for sign in re.findall(r"\\.|[{}]", made):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("$x_i$ and $\\alpha^{2}$", r"$x_i$ and $\alpha^{2}$"),
        ("$a_b_c$", r"\$a\_b\_c\$"),
        ("$\\input{x}$", r"\${\textbackslash}input\{x\}\$"),
        ("it costs $5 or $6", r"it costs \$5 or \$6"),
        ("Ngô Châu, Đặng", r"Ng\^o Ch\^au, {\DJ}\u{\d{a}}ng"),
        ("--model", "-{}-model"),
        ("李", "李"),
    ],
)
def test_names_are_encoded_and_harmless_maths_stays(text: str, made: str) -> None:
    assert latex(text) == made


def test_a_field_has_no_braces_but_those_of_latex() -> None:
    """BibTeX counts an escaped brace, too: one too many and the rest of the file is one field."""
    assert field("{Wald} } $x_{i}$") == r"Wald  $x_{i}$"


def test_words_with_capitals_within_keep_them() -> None:
    assert protected("The BERT of Soil and $X$ and $x$") == "The {BERT} of Soil and {$X$} and $x$"


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("A Sort in O(n log n) Steps", "A Sort in {O(n} log n) Steps"),
        ("What T5 and I Know of X-rays in C", "What {T5} and {I} Know of {X-rays} in {C}"),
        ("A Study of A Cow's Milk", "A Study of A Cow's Milk"),
        ("Planning with A* in a Forest", "Planning with {A*} in a Forest"),
        ("The poetry of Émile in prisons of the south", r"The poetry of {{\'Emile}} in prisons of the south"),
        ("Is it time? French speakers and their words", "Is it time? {French} speakers and their words"),
        ("A treebank of spoken French: Building it by hand", "A treebank of spoken {French:} Building it by hand"),
        ("Parsing Spoken French by Hand", "Parsing Spoken French by Hand"),
    ],
)
def test_capitals_that_mean_something_survive_a_style_that_makes_titles_small(title: str, kept: str) -> None:
    assert protected(title) == kept


def test_citations_follow_the_style() -> None:
    by_name, by_number = review_latex(made_up()), review_latex(made_up("numeric"))
    assert r"\citep{kim2019soil,kim2019clay}" in by_name
    assert r"\cite{kim2019soil,kim2019clay}" in by_number
    assert (
        r"\citet{li2021fog} saw 99 fogs. \textcolor{red!75!black}{\textbf{(unsupported by \citet{li2021fog})}}"
        in by_name
    )
    assert r"\usepackage[numbers,sort]{natbib}" in by_number
    assert r"\DeclareUnicodeCharacter{674E}{\litragmissing{674E}}" in by_name


def test_an_address_cannot_leave_its_field() -> None:
    paper = Paper("1", "T", url="https://x.example/}\\input{y} z", doi="10.1/a}b")
    text = bibliography({"k": paper})
    assert r"{https://x.example/%7D%5Cinput%7By%7D%20z}" in text
    assert "{10.1/a%7Db}" in text


def compiled(document: Exported, folder: Path, text: str = "") -> str:
    """The text of the log of the last of three passes over `text`, by default the review's article."""
    folder.mkdir(exist_ok=True)
    (folder / "review.tex").write_text(text or review_latex(document), encoding="utf-8")
    (folder / "references.bib").write_text(bibliography(document.cited), encoding="utf-8")
    for command in ("pdflatex", "bibtex", "pdflatex", "pdflatex"):
        flags = ["-interaction=nonstopmode", "-halt-on-error"] if command == "pdflatex" else []
        done = subprocess.run([command, *flags, "review"], cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]
    return (folder / "review.log").read_text(encoding="utf-8", errors="replace")


needs_latex = pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("bibtex")), reason="pdflatex and bibtex are not installed"
)


@needs_latex
@pytest.mark.parametrize("style", ["author-year", "numeric"])
def test_the_review_compiles(style: str, tmp_path: Path) -> None:
    log = compiled(made_up(style), tmp_path)
    assert "undefined" not in log
    assert (tmp_path / "review.pdf").stat().st_size > 10_000


@needs_latex
@pytest.mark.parametrize("style", ["author-year", "numeric"])
def test_the_text_goes_into_a_paper_as_its_comments_say(style: str, tmp_path: Path) -> None:
    document = made_up(style)
    part = related_work_latex(document)
    (tmp_path / "related-work.tex").write_text(part, encoding="utf-8")
    told = [line.removeprefix("%").strip() for line in part.splitlines() if line.startswith("%")]
    preamble = told[1:-1]
    body, end = r"\section{Related work} \input{related-work}", told[-1].partition(": ")[2]
    assert body in told[0]
    host = "\n".join(
        (
            r"\documentclass{article}",
            *preamble,
            r"\begin{document}",
            body,
            latex("Dąbrowski «so» ŋ"),
            end,
            r"\end{document}",
        )
    )
    log = compiled(document, tmp_path, host)
    assert "undefined" not in log
    assert (tmp_path / "review.bbl").read_text().count(r"\bibitem") == len(document.cited)


@needs_latex
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # to shrink would be to compile for minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(reviews())
def test_any_text_compiles(tmp_path: Path, document: Exported) -> None:
    shutil.rmtree(tmp_path / "x", ignore_errors=True)
    compiled(document, tmp_path / "x")
