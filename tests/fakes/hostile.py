"""Text of others that tries to be more than text."""

from __future__ import annotations

from hypothesis import strategies as st

from litrag.core.types import Claim, Draft, DraftParagraph, DraftSection, Paper, Verdict
from litrag.exports.document import Exported

_PIECES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\\input{/etc/passwd}",
    "\\write18{x}",
    "$\\csname x\\endcsname$",
    "$a_b_c$",
    "$x$",
    "\\end{document}",
    "^^5cinput",
    "[99]",
    "@ghost",
    "[@ghost]",
    "@k",
    "\u202e",
    "\u200f",
    "\u2066",
    "😀",
    "e\u0301",
    "\x00",
    "\x0b",
    "\x1b",
    "\x85",
    "\u2028",
    "\ufffe",
    "\U000f0000",
    "\U00100000",
    "]]>",
    "&amp;",
    "&",
    "%",
    "#",
    "_",
    "{",
    "}",
    "~",
    "^",
    "$",
    "\\",
    "--",
    "“",
    "שלום",
    "北",
    "ER  - ",
    "\nTY  - JOUR\n",
    "javascript:alert(1)",
    "https://evil.example/",
    " ",
    "word",
    "Iñtërnâtiônàl",
)
TEXTS = st.lists(st.sampled_from(_PIECES) | st.text(max_size=4), max_size=6).map("".join)
PAPERS = st.builds(
    Paper,
    id=st.just("1"),
    title=TEXTS,
    abstract=TEXTS,
    authors=st.lists(TEXTS, max_size=2).map(tuple),
    year=st.sampled_from([0, 2019]),
    venue=TEXTS,
    doi=st.just("") | TEXTS,
    arxiv_id=st.just("") | TEXTS,
    url=st.just("") | TEXTS,
)


@st.composite
def reviews(draw: st.DrawFn) -> Exported:
    """One cited work, `k`, cited twice by us; what else looks like a citation is not one."""
    papers = {"k": draw(PAPERS)}
    first, second, heading, other = (draw(TEXTS).replace("@k", "") for _ in range(4))
    claims = (
        Claim(f"@k say {first} end.", ("k",), (), (Verdict("k", "unsupported", "numbers", 0.0),)),
        Claim(f"{second} [@k].", ("k",), (), (Verdict("k", "supported", "quote", 1.0),)),
    )
    draft = Draft((DraftSection(heading, (DraftParagraph(claims),)),))
    return Exported(draft=draft, papers=papers, header=other, style=draw(st.sampled_from(["author-year", "numeric"])))
