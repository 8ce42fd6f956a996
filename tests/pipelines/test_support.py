"""How far a source says what a sentence says, by words, by an embedder, against other sources; and the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from litrag.agents.entities import WordWeights
from litrag.core.budget import Limits
from litrag.core.errors import BudgetSpent
from litrag.core.protocols import TokenScores
from litrag.core.types import Claim, Message, Paper
from litrag.pipelines.support import Both, Coverage, Likelihood, Likeness, lacking_numbers, numbers, opposed, plain
from litrag.pipelines.verifying import Verifier

TIDES = "Tides move the sand of a shore. We measured tides for 12 years. Storms did not matter."
DOGS = "Dogs find truffles by their scent. They were trained for three months."


class Words:
    """Embeds by a dimension a word, which makes cosines of shared words."""

    model = "test/words"

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    async def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> np.ndarray:
        rows = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.casefold().replace(".", "").split():
                row[self.known.setdefault(word, len(self.known)) % 64] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


async def test_words_by_their_worth() -> None:
    weight = WordWeights({"tide": 1.0, "sand": 3.0})
    assert await Coverage(WordWeights()).score([("Tides and sands [3]", TIDES), ("", TIDES), ("of the", TIDES)]) == [
        1,
        0,
        0,
    ]
    assert await Coverage(weight).score([("sand cheese", TIDES)]) == [pytest.approx(0.5)], (
        "an unknown word is the rarest"
    )


async def test_the_nearest_sentences_count() -> None:
    near, far = await Likeness(Words()).score([("Dogs find truffles by their scent.", DOGS), ("Ships sail.", DOGS)])
    assert near == pytest.approx(1.0)
    assert far == 0.0
    assert await Likeness(Words()).score([]) == []


async def test_another_source_that_says_more_counts_against() -> None:
    both = Both(Coverage(), Likeness(Words()))
    sentence = "Dogs find truffles by scent."
    right, wrong = await both.against([(sentence, DOGS), (sentence, TIDES)], [[TIDES], [DOGS]])
    alone = await both.evidence([(sentence, TIDES)])
    assert right > 2
    assert wrong < alone[0] - 1
    assert (await both.score([(sentence, DOGS)]))[0] > 0.5 > (await both.score([(sentence, TIDES)]))[0]


@pytest.mark.parametrize(
    ("sentence", "source", "lacking"),
    [
        ("(3) Tides move sand.", TIDES, []),
        ("2. Tides move sand for 13 years.", TIDES, ["13"]),
        ("Of GPT-4 nothing is said here.", TIDES, []),
        ("They ask GPT-4 and LLaMA-65B.", "We ask GPT-4 and LLaMA 65B.", []),
        ("They ask GPT-4.", "We ask GPT-4.", []),
        ("They ask GPT-4.0.", "We ask GPT-3.5, GPT-4.0.", []),
        ("A ResNet-101 is deeper.", "We train ResNet-50 and -101.", []),
        ("ROUGE-2 falls.", "We tell ROUGE-1/2/L.", []),
        ("They ask GPT-4.", "We ask GPT-3.5 and GPT 3.", ["4"]),
        ("They ask LLaMA-65B.", "We ask LLaMA-7B.", ["65"]),
        ("They use text-embedding-3-large.", "We embed texts.", []),
        ("They use text-embedding-3-large.", "We use text-embedding-2-large.", ["3"]),
        ("It took 10-12 years.", TIDES, ["10"]),
        ("In Table 3 and Fig. 2.1 (Section 4) it is compared.", "It is compared.", []),
        ("Table 3 shows 12 of them.", "It shows them.", ["12"]),
        ("It took 3 months.", "It took three months.", []),
        ("A 2-hop and a 5-fold test.", "Two-hop questions, five-fold.", []),
        ("They came 2nd.", "They came second.", []),
        ("It took 3 months.", "It took four months.", ["3"]),
        ("It has 1.2M words.", "It has 1,200,000 words.", []),
        ("It has 1,000,000 words.", "It has 1 million words.", []),
        ("It has 1.2 million words.", "It has 1.2M words.", []),
        ("It has 1.2 million words.", "It has 1.2 billion words.", []),
        ("It has 3 million words.", "It has 4 million words.", ["3"]),
        ("It has 70B weights.", "It has 70 billion weights.", []),
    ],
)
def test_numbers_that_count_sentences_or_belong_to_names(sentence: str, source: str, lacking: list[str]) -> None:
    assert lacking_numbers(sentence, source) == lacking


def test_numbers_and_markers() -> None:
    assert plain("As shown [@a; @b], tides [1, 2] rise by 3 [4].") == "As shown, tides rise by 3."
    assert numbers("the 1st of 1,200 and 3.5") == ["1", "1200", "3.5"]
    told = numbers("3.5x, 10.3× or .50 of 0.5, 87.30 %; 1.2.10, a 3D T5 of 70B")
    assert told == ["3.5", "10.3", "0.5", "0.5", "87.3", "1.2.10", "70"]
    assert lacking_numbers("A model of 70B.", "A model of 7B.") == ["70"]
    assert lacking_numbers("It is 3.5x faster.", "It is 3.5 times faster.") == []
    assert lacking_numbers("It is 3.5x faster.", "It is 3 times faster.") == ["3.5"]
    assert lacking_numbers("for 12 years [7]", TIDES) == []
    assert lacking_numbers("for 13 years in 2004", f"{TIDES} 2004") == ["13"]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Storms did not matter.", False),
        ("Storms did matter.", True),
        ("Tides do not move the sand of a shore.", True),
        ("Tides move sand.", False),
        ("Nobody has ever not seen a ship.", False),
    ],
)
def test_a_negation_of_one_alone(sentence: str, expected: bool) -> None:
    assert opposed(sentence, TIDES, WordWeights()) is expected


PAPERS = {"t": Paper("t", "Tides", TIDES), "d": Paper("d", "Dogs", DOGS)}


@pytest.mark.parametrize(
    ("key", "quotes", "label"),
    [("d", (), "unchecked"), ("t", (), "unsupported"), ("t", ("Tides move the sand",), "supported")],
)
async def test_a_swapped_citation_without_a_quote_is_unsupported(key: str, quotes: tuple[str, ...], label: str) -> None:
    verifier = Verifier(support=Both(Coverage(), Likeness(Words())))
    (claim,), warnings = await verifier.verify((Claim("Dogs find truffles by scent.", (key,), quotes),), PAPERS)
    assert claim.verdicts[0].label == label
    assert warnings == ()


@pytest.mark.parametrize(("sentence", "label"), [("Dogs find truffles by scent.", "unsupported"), (TIDES, "supported")])
async def test_a_true_quote_beside_another_sentence_supports_nothing(sentence: str, label: str) -> None:
    claim = Claim(sentence, ("t",), ("Tides move the sand",), writer="model")
    support = Both(Coverage(), Likeness(Words()))
    (checked,), _ = await Verifier(support=support).verify((claim,), PAPERS)
    assert checked.verdicts[0].label == label


@pytest.mark.parametrize(
    ("sentence", "label"),
    [
        ("Tides move the sand, in contrast to our 3 stages [@t].", "supported"),
        ("Tides move the sand in 3 stages [@t].", "unsupported"),
        ("Tides move the sand, in contrast to our 4 stages [@t].", "unsupported"),
    ],
)
async def test_numbers_of_the_own_work_count_in_a_sentence_about_it(sentence: str, label: str) -> None:
    claim = Claim(sentence, ("t",), ("Tides move the sand",))
    (checked,), _ = await Verifier(own="We propose 3 stages.").verify((claim,), PAPERS)
    assert checked.verdicts[0].label == label


async def test_a_spent_budget_leaves_it_open() -> None:
    class Spent:
        model = "test/spent"

        async def embed(self, texts: Sequence[str], *, kind: str) -> np.ndarray:
            raise BudgetSpent("calls", 1, Limits(calls=1).calls or 1)

    verifier = Verifier(support=Both(Coverage(), Likeness(Spent())))
    (claim,), warnings = await verifier.verify((Claim("Dogs find truffles.", ("t",)),), PAPERS)
    assert claim.verdicts[0].label == "unchecked"
    assert "verification by likeness stopped" in warnings[0]


def test_in_another_language_a_comma_may_stand_for_a_point() -> None:
    assert lacking_numbers("Es erreicht 87,3 Prozent.", "It reaches 87.3 percent.") == ["873"]
    assert lacking_numbers("Es erreicht 87,3 Prozent.", "It reaches 87.3 percent.", english=False) == []
    assert lacking_numbers("Es erreicht 88,3 Prozent.", "It reaches 87.3 percent.", english=False) == ["883"]


async def test_a_source_that_makes_the_sentence_likelier_supports_it() -> None:
    class Reader:
        """Finds a sentence as likely as its words are seen."""

        async def score(self, messages: Sequence[Message], continuations: Sequence[str]) -> tuple[TokenScores, ...]:
            seen = set(messages[-1].content.casefold().split())
            return tuple(
                TokenScores(
                    tuple(text.split()), tuple(-1.0 if word.casefold() in seen else -3.0 for word in text.split())
                )
                for text in continuations
            )

    pairs = [("dogs find truffles", "Here dogs find truffles often"), ("dogs find truffles", "Tides move sand")]
    held, not_held = await Likelihood(Reader()).score(pairs)
    assert held > 0.85
    assert not_held == 0.5
