r"""review.tex: an article for pdflatex and BibTeX with natbib, on `references.bib` beside it.

How references look is natbib's affair: plainnat for styles by author and year, unsrtnat for numbers. Letters that
pdfLaTeX has no font for are declared one by one, so that they print as their code in a box instead of breaking the
build; XeLaTeX and LuaLaTeX set them."""

from __future__ import annotations

import unicodedata
from string import Template
from typing import Final

from litrag.exports.bibtex import bibliography
from litrag.exports.document import Exported, Sentence
from litrag.exports.latex_text import foreign, latex
from litrag.exports.markers import Citation

__all__ = ["review_latex"]

_ARTICLE: Final = Template(
    r"""% Compile: pdflatex review, bibtex review, pdflatex review (twice), with references.bib beside it.
\documentclass{article}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[utf8]{inputenc}
  \usepackage[T1]{fontenc}
  \usepackage{textcomp}
  \IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
$declared\else
  \usepackage{fontspec}
\fi
\usepackage{amsmath,amssymb}
\usepackage{xcolor}
\usepackage[$natbib]{natbib}
\usepackage{url}
\usepackage[hidelinks]{hyperref}
\title{$title}
\author{}
\date{}
\begin{document}
\maketitle
\begin{quote}\small
$notes
\end{quote}

$body

\bibliographystyle{$bst}
\bibliography{references}
\end{document}
"""
)
_MISSING: Final = r"""  % Letters without a font here; xelatex or lualatex with a font that has them sets them.
  \DeclareRobustCommand{\litragmissing}[1]{{\setlength{\fboxsep}{1pt}\fbox{\tiny\texttt{#1}}}}
"""


def review_latex(document: Exported) -> str:
    """The whole file. Raises BadInput, MissingExtra (the style)."""
    numeric = document.look.numeric
    body: list[str] = []
    for section in document.sections:
        if section.heading:
            body.append(rf"\section{{{latex(section.heading)}}}")
        body.extend(
            "\n".join(_sentence(sentence, numeric=numeric) for sentence in paragraph)
            for paragraph in section.paragraphs
        )
    title, notes, text = latex(document.title), "\n\n".join(map(latex, document.notes)), "\n\n".join(body)
    return _ARTICLE.substitute(
        declared=_declared(title + notes + text + bibliography(document.cited)),
        natbib="numbers,sort" if numeric else "round",
        bst="unsrtnat" if numeric else "plainnat",
        title=title,
        notes=notes,
        body=text,
    )


def _sentence(sentence: Sentence, *, numeric: bool) -> str:
    shown = [_cited(part, numeric=numeric) if isinstance(part, Citation) else latex(part) for part in sentence.parts]
    if doubts := sentence.doubts(lambda key: rf"\citet{{{key}}}"):
        shown.append(rf" \textcolor{{red!75!black}}{{\textbf{{{doubts}}}}}")
    return "".join(shown).strip()


def _cited(citation: Citation, *, numeric: bool) -> str:
    command = "citet" if citation.textual else "cite" if numeric else "citep"
    return rf"\{command}{{{','.join(citation.keys)}}}"


def _declared(text: str) -> str:
    """A declaration for each foreign character; marks that combine with what stands before them print nothing."""
    lines = [
        rf"  \DeclareUnicodeCharacter{{{ord(c):04X}}}"
        + ("{}" if unicodedata.category(c) in ("Mn", "Me", "Cf") else rf"{{\litragmissing{{{ord(c):04X}}}}}")
        for c in foreign(text)
    ]
    return _MISSING + "\n".join(lines) + "\n" if lines else ""
