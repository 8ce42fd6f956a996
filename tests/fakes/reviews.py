"""A small review of invented works that holds what breaks writers: names, signs, maths, a sentence that its source
does not support."""

from __future__ import annotations

from litrag.core.types import Claim, Draft, DraftParagraph, DraftSection, Evidence, Paper, Span, Verdict
from litrag.exports.document import Exported
from litrag.exports.evidence import evidence_file

PAPERS = {
    "alvarez2020dogs": Paper(
        "1",
        "Dogs & Drones: 50% of $x_i$ in the {Wald} — a BERT study",
        "Drones follow dogs. They find 50% of the paths & all of the #bones.",
        ("José Álvarez", "Bart van den Berg", "Kang-il Łoś"),
        2020,
        "Proceedings of the 3rd Conference on X_Y",
        "10.1/a_b",
    ),
    "kim2019soil": Paper("2", "Soil Maps.", "Maps of soil.", ("Anna Kim",), 2019, "Soil", arxiv_id="1901.01234"),
    "kim2019clay": Paper(
        "3", "Clay: <b>wet</b> or “dry”?", "Clay is wet.", ("Anna Kim",), 2019, "arXiv", arxiv_id="1902.1"
    ),
    "li2021fog": Paper(
        "4", "Fog in 北京", "Fog.", ("李明", "Дарья Иванова"), 2021, "Fog", url="https://fog.example/a_b?c=1&d=2"
    ),
    "anon-a": Paper("5", "Who wrote this, and when", "Nobody.", url="javascript:alert(1)"),
}


def sentence(text: str, *verdicts: Verdict, quotes: tuple[str, ...] = ()) -> Claim:
    """A claim that cites what its text names."""
    found = sorted((text.index(f"@{key}"), key) for key in PAPERS if f"@{key}" in text)
    keys = tuple(key for _, key in found)
    given = {verdict.key: verdict for verdict in verdicts}
    return Claim(text, keys, quotes, tuple(given.get(key, Verdict(key, "supported", "quote", 1.0)) for key in keys))


DRAFT = Draft(
    (
        DraftSection(
            "",
            (
                DraftParagraph(
                    (
                        sentence("@alvarez2020dogs let drones follow dogs & cats_, 50% of $x_i$ in ~3 cm^2 #1 {a}."),
                        sentence("Soil is mapped “twice” [@kim2019soil; @kim2019clay] [1]."),
                        sentence("\\input{x} and <script>alert(1)</script> are text."),
                    )
                ),
            ),
        ),
        DraftSection(
            "Fog & Co.",
            (
                DraftParagraph(
                    (
                        sentence("@li2021fog saw 99 fogs.", Verdict("li2021fog", "unsupported", "numbers", 0.0)),
                        sentence("Others are unknown [@anon-a]; see @nobody2000 and [@nobody2001]."),
                    )
                ),
            ),
        ),
    )
)


def made_up(style: str = "author-year") -> Exported:
    """The review with its evidence."""
    quotes = {"alvarez2020dogs": "They find 50% of the paths & all of the #bones.", "li2021fog": "Fog."}
    table = []
    for key in DRAFT.keys:
        passage, quote = PAPERS[key].passage(), quotes.get(key, "")
        start = passage.text.index(quote)
        table.append(Evidence(key, passage, Span(start, start + len(quote), quote), "dogs <&> fog"))
    return Exported(
        draft=DRAFT,
        papers=PAPERS,
        header="Written by `litrag --model m`.\nCheck each sentence & work.",
        style=style,
        evidence=evidence_file(DRAFT, PAPERS, table, {"kim2019clay": "Retracted on 2022-01-01 <see the notice>."}),
    )
