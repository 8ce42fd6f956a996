"""Names of the evals' methods, for shell completion: the tables themselves load what the methods need. A test holds that both are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["METHOD_NAMES"]

_WAYS: Final = ("fixed", "fixed-hybrid", "narrow", "words", "feedback")
_STOPS: Final = ("stop-score-drop", "stop-nothing-new", "stop-covered")
_ENDS: Final = ("controller", "interpolated", "random-stop", "oracle-stop", "shipped", "shipped-interpolated")
_QUESTIONS: Final = (
    *(f"{name}-{n}" for name in ("bm25", "dense", "hybrid") for n in range(1, 31)),
    *(f"{way}-{n}" for way in _WAYS for n in range(1, 9)),
    *(f"hybrid-equal-{way}-{n}" for way in _WAYS for n in range(1, 9)),
    *(f"{way}-{rule}" for way in _WAYS for rule in _STOPS),
    *(f"{way}-{end}" for way in _WAYS for end in _ENDS),
    *("react", "react-explored", "react-frugal", "self-ask", "ircot", "narrow-stop-agreement"),
)
_TRAINED: Final = (
    "",
    "-fused-.3",
    "-fused-.5",
    *(f"-scores{kind}" for kind in ("", "-permuted", "-constant", "-none", "-fused-.3")),
)

# eval -> its methods, in the order of its table
METHOD_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "retrieval": (
        *("bm25", "dense", "random-projection", "svd", "hybrid", "fields", "multi-query", "multi-query-sentences"),
        *(
            "maxsim",
            "words-parts-4",
            "words-keyphrases-4",
            "words-keyphrases-8",
            "words-review-8",
            "words-agent-2",
            "words-agent-4",
            "words-agent-8",
        ),
        *(
            "parts-4",
            "keyphrases-4",
            "agent-4",
            "keyphrases-8",
            "review-8",
            "trained",
            "popularity",
            "bm25-popularity",
            "fields-popularity",
        ),
        *("snowball", "citing", "trained-citing", "dense-trained", "dense-hard-negatives", "dense-consistency"),
        *("dense-margin", "dense-sufficiency", "dense-pruned", "dense-lexical", "dense-lora"),
        *("car", "car-three", "car-written", "car-originals", "car-terms", "car-random", "car-alone"),
    ),
    "rerank": (
        *(
            "bm25",
            "similarity",
            "maxsim",
            "cross-encoder",
            "query-likelihood",
            "query-likelihood-fused",
            "query-likelihood-instructed",
        ),
        *("query-likelihood-calibrated", "yes-no", "yes-no-fused", "graded", "graded-fused", "first", "first-fused"),
        *("groupwise", "listwise", "listwise-window", "insertrank", "insertrank-permuted", "insertrank-shuffled"),
        *("listwise-consistent", "setwise", "pairwise", "rubric", "debate"),
        *("trained-likelihood", "trained-likelihood-fused"),
        *(f"trained-first{end}" for end in _TRAINED),
        "trained-first-scores-shuffled",
        *(f"trained-yes-no{end}" for end in _TRAINED),
    ),
    "rewrite": (
        *("original", "history", "context", "human", "untrained", "untrained-bare", "sft", "sft-bare"),
        *(
            "adaqr",
            "adaqr-margin-bare",
            "adaqr-shuffled-bare",
            "adaqr-gold-bare",
            "adaqr-shuffled",
            "adaqr-gold",
            "adaqr-margin",
            "adaqr-expected",
            "best-of",
            "best-of-retrieval",
        ),
        *("one-sample", "best-of-answer", "best-of-gold"),
        *("one-sample-bare", "best-of-bare", "best-of-retrieval-bare", "best-of-gold-bare"),
        *(
            f"{name}{end}"
            for name in ("statistical", "keywords", "hyde", "step-back", "decompose")
            for end in ("", "-fused")
        ),
    ),
    "reward": (
        "marginal",
        *(f"temperature-{value}" for value in (0.25, 0.5, 2.0, 4.0)),
        *("minmax", "raw-scores", "expected-nll", "retrieval"),
    ),
    "ambiguity": ("always", "rules", "few-words", "leans", "model"),
    "hotpotqa": _QUESTIONS,
    "musique": _QUESTIONS,
    "2wiki": _QUESTIONS,
    "review": (
        *(
            "full",
            "default",
            "-rewrite",
            "-dense",
            "-vectors",
            "-vectors-rerank",
            "-snowball",
            "-agent",
            "-rerank",
            "-scores",
            "depth-300",
            "-plan",
            "-verify",
        ),
        *(f"searches-{n}" for n in (1, 2, 4, 8, 16)),
        *("extractive", "shuffled-plan", "no-plan", "nearest-sentence", "lead-sentence", "random-quote", "given"),
        *("given-shuffled-plan", "given-no-plan", "given-oracle-plan", "given-nearest-sentence"),
        *("given-lead-sentence", "given-random-quote", "generate", "given-generate"),
    ),
    "verify": (
        *(
            "length",
            "numbers",
            "negation",
            "coverage",
            "likeness",
            "both",
            "shipped",
            "against",
            "against-blind",
            "fewest",
        ),
        "query-likelihood",
    ),
    "coherence": ("shuffled", "groups"),
}
