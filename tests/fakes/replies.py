"""What models may reply: prose, JSON of about the asked form, JSON in prose, markers of papers that were and were not offered."""

from __future__ import annotations

import json

from hypothesis import strategies as st

__all__ = ["REPLIES"]

JSONISH = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(
        [
            "p1",
            "[p2]",
            "@p3",
            "p99",
            "P1",
            "x [p1] y [p7; p2]",
            "[@cat2003soil]",
            "[@evil2001]",
            "@vexo2009dog",
            "<b>[x](y)</b>",
            "Dogs [p1] and [p99; p4].",
            "yes",
            "no",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "paragraphs",
                    "sentences",
                    "topic",
                    "papers",
                    "purpose",
                    "text",
                    "quotes",
                    "queries",
                    "query",
                    "quote",
                    "supported",
                    "p1",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)
REPLIES = (
    st.text(max_size=200)
    | JSONISH.map(json.dumps)
    | st.tuples(st.text(max_size=20), JSONISH.map(json.dumps), st.text(max_size=20)).map("".join)
)
