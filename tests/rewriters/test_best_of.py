"""Best of K: what the reward model reads off a rewrite, which it takes, and what a wrong file says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from litrag.core.errors import BadInput
from litrag.core.protocols import Completion
from litrag.core.types import Message, Query
from litrag.rewriters.best_of import FEATURES, BestOf, RewriteScorer, features

TALK = Query("When did they meet?", history=("Who were the surveyors?", "Ada and Bo."), context="The bay\nSurvey")


def test_features_by_hand() -> None:
    one, other = features(TALK, ["When did Ada and Bo meet at the bay?", "When did they meet meet?"])
    named = dict(zip(FEATURES, one, strict=True))
    assert named["kept"] == pytest.approx(3 / 4), "when, did, meet of when, did, they, meet"
    assert named["grounded"] == pytest.approx(5 / 6), "ada, and, bo, the, bay of those and at"
    assert named["pronouns"] == 0.0
    assert named["title"] == pytest.approx(2 / 3), "the, bay of the, bay, survey"
    assert named["agreement"] == pytest.approx(3 / 10), "three words of ten"
    plain = dict(zip(FEATURES, other, strict=True))
    assert (plain["pronouns"], plain["added"], plain["kept"]) == (1.0, 0.0, 1.0)
    assert plain["repeated"] == pytest.approx(1 / 5)
    assert features(TALK, []) == []
    assert len(features(Query(""), [""])[0]) == len(FEATURES)


class Samples:
    """A model whose replies to one request differ."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = texts, 0

    async def generate(self, messages: Sequence[Message], *, n: int = 1, **more: object) -> Completion:
        self.asked += n
        return Completion(self.texts[:n], "samples")


async def test_the_best_by_the_file_is_taken(tmp_path: Path) -> None:
    longest = tmp_path / "scorer.json"
    longest.write_text(json.dumps({"words": 1.0}))
    texts = ("When did Ada meet Bo?", "When did Ada and Bo meet at the bay?", "When?")
    for scorer, wanted in ((str(longest), texts[1]), ("", texts[1])):
        chat = Samples(*texts)
        original, rewrite = await BestOf(chat, scorer=scorer).rewrite(TALK)
        assert original == TALK
        assert (rewrite.text, rewrite.kind, rewrite.parent) == (wanted, "rewrite", TALK.text)
        assert chat.asked == 3
    shortest = tmp_path / "short.json"
    shortest.write_text(json.dumps({"words": -1.0}))
    chat = Samples(*texts)
    assert (await BestOf(chat, scorer=str(shortest)).rewrite(TALK))[1].text == "When?"


async def test_without_history_or_a_usable_reply_the_original_stays() -> None:
    chat = Samples("")
    assert await BestOf(chat).rewrite(Query("dunes")) == (Query("dunes"),)
    assert chat.asked == 0
    assert await BestOf(chat).rewrite(TALK) == (TALK,)


@pytest.mark.parametrize("text", ["", "[]", '{"charm": 1}', '{"words": "many"}', "{"])
def test_a_wrong_file_says_what_writes_a_right_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "scorer.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="is no scorer of rewrites .*; `litrag train adaqr` writes one"):
        RewriteScorer.load(path)
    with pytest.raises(BadInput, match="no scorer of rewrites"):
        RewriteScorer.load(tmp_path / "gone.json")


def test_settings_out_of_range_are_refused() -> None:
    chat = Samples("x")
    with pytest.raises(ValueError, match="k 0"):
        BestOf(chat, k=0)
    with pytest.raises(ValueError, match="temperature 0"):
        BestOf(chat, temperature=0.0)
