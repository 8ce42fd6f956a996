"""Text of others as LaTeX, by pylatexenc: names and signs encoded, harmless maths kept, no command of theirs let
through.

Maths between dollar signs is kept where it is harmless (`exports.maths`); else its dollars and backslashes are
printed. Letters that pdfLaTeX has no font for (Han, Cyrillic, emoji ...) stay as they are: `review.tex` declares
them."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from litrag.exports.facts import clean
from litrag.exports.maths import harmless

if TYPE_CHECKING:
    from pylatexenc.latexencode import UnicodeToLatexEncoder

__all__ = ["field", "foreign", "latex", "protected"]

# Latin, Greek, punctuation, arrows, operators: those of pylatexenc's table that T1 fonts, textcomp and amssymb print.
_ENCODED: Final = (
    *((0xA0, 0x148), (0x14A, 0x17F), (0x391, 0x3C9), (0x2010, 0x2044), (0x20AC, 0x20AC), (0x2122, 0x2122)),
    *((0x2190, 0x219B), (0x21D0, 0x21D5), (0x2200, 0x221E), (0x2220, 0x222E), (0x2234, 0x223A), (0x223C, 0x223D)),
    *((0x2240, 0x2245), (0x2248, 0x224A), (0x2260, 0x226B)),
)
# Latin letters with other marks are put together; pdfLaTeX has neither hook nor horn, which are left out.
_MARKS: Final = dict(
    zip(
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0323\u0327\u0328\u0331",
        "`'^~=u.\"rHvdckb",
        strict=True,
    )
)
_OWN: Final = {0x2011: "-"}  # \nobreakdash breaks a heading
_UNMARKED: Final = "\u0309\u031b"
_LATIN: Final = (*range(0x180, 0x250), *range(0x1E00, 0x1F00))
_CANDIDATE: Final = re.compile(r"(\$(?!\s)[^$]*[^\s$]\$)")


def latex(text: str) -> str:
    """One line of LaTeX."""
    return "".join(_encoded(part) for part in _parts(text))


def field(text: str) -> str:
    """A field of a BibTeX entry. Braces outside maths are dropped: titles use them for case alone, and BibTeX counts
    escaped ones, too."""
    return "".join(_encoded(_unbraced(part)) for part in _parts(text)).strip()


def protected(title: str) -> str:
    """As `field`, with braces around words and maths whose capitals mean something, which BibTeX styles would make
    small: "BERT", "T5", "O(n", and in a title that is written like a sentence every capital within it: "a corpus of
    French"."""
    like_sentence, begins = _like_sentence(title), True
    shown = []
    for part in _parts(title):
        if _is_maths(part):
            shown.append(f"{{{part}}}" if re.search("[A-Z]", part) else part)
            continue
        for word in re.split(r"(\s+)", _unbraced(part)):
            named = like_sentence and not begins and _begins_with_capital(word)
            encoded = _encoded(word)
            if named or _telling_capital(word):
                # "{\\" is to BibTeX the start of a letter whose case it changes; within other braces it is not
                encoded = f"{{{{{encoded}}}}}" if encoded.startswith("\\") else f"{{{encoded}}}"
            shown.append(encoded)
            begins = begins if not word.strip() else word.endswith(":")
    return "".join(shown).strip()


def foreign(text: str) -> tuple[str, ...]:
    """The characters that `latex` left as they are, in order of their code."""
    return tuple(sorted({c for c in text if ord(c) > 126}))


def _telling_capital(word: str) -> bool:
    """Whether another letter than its first is a capital, or its first one stands for itself: I, T5, O(n, X-ray, C++."""
    letters = re.sub(r"^\W*", "", word)
    alone = letters[:1].isupper() and not letters[1:2].isalpha() and letters[1:2] not in ("'", "’")
    return any(c.isupper() for c in letters[1:]) or (alone and word.strip(".,:;!?()“”\"'") != "A")


def _begins_with_capital(word: str) -> bool:
    return re.sub(r"^\W*", "", word)[:1].isupper()


def _like_sentence(title: str) -> bool:
    """Whether most longer words behind the first have a small letter: what has a capital there is a name."""
    longer: list[str] = re.findall(r"[^\W\d_]{4,}", title.partition(" ")[2])
    return sum(word[0].islower() for word in longer) > len(longer) / 2


def _parts(text: str) -> list[str]:
    """Maths that is harmless, and the text between, in turn."""
    parts: list[str] = []
    for n, part in enumerate(_CANDIDATE.split(clean(text))):
        if n % 2 and _is_maths(part):
            parts.append(part)
        elif parts and not _is_maths(parts[-1]):
            parts[-1] += part
        else:
            parts.append(part)
    return parts


def _is_maths(part: str) -> bool:
    return len(part) > 2 and part[0] == part[-1] == "$" and harmless(part[1:-1])


def _unbraced(part: str) -> str:
    return part if _is_maths(part) else re.sub("[{}]", "", part)


def _encoded(part: str) -> str:
    if _is_maths(part):
        return part
    text: str = _encoder().unicode_to_latex(part)
    return re.sub(r"-(?=-)", "-{}", text)  # two hyphens would become a dash


@functools.cache
def _encoder() -> UnicodeToLatexEncoder:
    from pylatexenc.latexencode import RULE_DICT, UnicodeToLatexConversionRule, UnicodeToLatexEncoder
    from pylatexenc.latexencode import get_builtin_uni2latex_dict as table

    wanted = {*range(0x7F), *(code for first, last in _ENCODED for code in range(first, last + 1))}
    known = {code: put for code in _LATIN if (put := _put_together(chr(code)))}
    known |= {code: text for code, text in table().items() if code in wanted} | _OWN
    return UnicodeToLatexEncoder(
        conversion_rules=[UnicodeToLatexConversionRule(RULE_DICT, known)],
        unknown_char_policy="keep",
        unknown_char_warning=False,
    )


def _put_together(letter: str) -> str:
    """Accents around an ASCII letter, or empty where it is not made of such."""
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if not base.isascii() or not all(mark in _MARKS or mark in _UNMARKED for mark in marks):
        return ""
    text = rf"\{base}" if base in "ij" and "\u0323" not in marks and "\u0328" not in marks else base
    for mark in marks:
        text = rf"\{_MARKS[mark]}{{{text}}}" if mark in _MARKS else text
    return text
