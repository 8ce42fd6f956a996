r"""review.tex: an article for pdflatex and BibTeX with natbib, on `references.bib` beside it; related-work.tex: the same text to be \input into
a paper of one's own.

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

__all__ = ["related_work_latex", "review_latex"]

_ARTICLE: Final = Template(
    r"""% Compile: pdflatex review, bibtex review, pdflatex review (twice), with references.bib beside it.
\documentclass{article}
$preamble\usepackage[hidelinks]{hyperref}
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
_PREAMBLE: Final = Template(
    r"""\usepackage{iftex}
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
"""
)
_PART: Final = Template(
    r"""% In your paper: \section{Related work} \input{related-work}, and in its preamble
$preamble% At its end, with references.bib beside it: \bibliographystyle{$bst} \bibliography{references}

$body
"""
)
_MISSING: Final = r"""  % Letters without a font here; xelatex or lualatex with a font that has them sets them.
  \DeclareRobustCommand{\litragmissing}[1]{{\setlength{\fboxsep}{1pt}\fbox{\tiny\texttt{#1}}}}
"""


def review_latex(document: Exported) -> str:
    """The whole file. Raises BadInput, MissingExtra (the style)."""
    title, notes, text = latex(document.title), "\n\n".join(map(latex, document.notes)), _body(document, "section")
    preamble = _preamble(document, title + notes + text)
    return _ARTICLE.substitute(preamble=preamble, title=title, notes=notes, body=text, bst=_bst(document))


def related_work_latex(document: Exported) -> str:
    """The text alone, its headings subsections; what it needs of a preamble is told in comments. Raises BadInput, MissingExtra (the style)."""
    text = _body(document, "subsection")
    preamble = "".join(f"%   {line}\n" for line in _preamble(document, text).splitlines())
    return _PART.substitute(preamble=preamble, body=text, bst=_bst(document))


def _preamble(document: Exported, text: str) -> str:
    """What a text and its references need."""
    natbib = "numbers,sort" if document.look.numeric else "round"
    return _PREAMBLE.substitute(declared=_declared(text + bibliography(document.cited)), natbib=natbib)


def _bst(document: Exported) -> str:
    return "unsrtnat" if document.look.numeric else "plainnat"


def _body(document: Exported, heading: str) -> str:
    """The paragraphs under their headings."""
    numeric = document.look.numeric
    body: list[str] = []
    for section in document.sections:
        if section.heading:
            body.append(rf"\{heading}{{{latex(section.heading)}}}")
        body.extend(
            "\n".join(_sentence(sentence, numeric=numeric) for sentence in paragraph)
            for paragraph in section.paragraphs
        )
    return "\n\n".join(body)


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
