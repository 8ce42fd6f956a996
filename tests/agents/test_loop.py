"""The search loop: bounds hold whatever decides, no document is read twice, and why it ended is said. Hops, rules and the classifier over it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.agents.entities import WordWeights, content_words, names_in
from litrag.agents.hops import EntityHops, Feedback, bridges, open_names, uncovered
from litrag.agents.loop import Next, Notes, SearchAgent, Step
from litrag.agents.stops import FEATURES, Controller, Covered, NothingNew, ScoreDrop, features
from litrag.core.budget import Budget, Limits
from litrag.core.errors import BadInput
from litrag.core.types import Document, Hit, Query, Ranking
from litrag.retrievers.bm25 import BM25, bm25_over
from litrag.training.frugal import Reliability, Trail, chances_out_of_fold, fitted_controller, stopped_at

PAGES = (
    ("Tidal Maps", "Tidal Maps is an album by the band Low Harbour.\nIt was recorded in winter."),
    ("Low Harbour", "Low Harbour is a band from Esbjerg.\nIts singer is Mette Krag."),
    ("Esbjerg", "Esbjerg is a seaport town on the west coast of Jutland."),
    ("Mette Krag", "Mette Krag is a singer born in 1971."),
    ("Dune Grass", "Dune Grass is a film directed by Ole Brandt."),
    ("Ole Brandt", "Ole Brandt is a director of Danish films."),
    ("Sand Ridge", "Sand Ridge is a film directed by Pia Holm."),
    ("Pia Holm", "Pia Holm is a director from Norway."),
    *((f"Noise {i}", f"Noise {i} is a record of winter storms and coast number {i}.") for i in range(8)),
)


def pages() -> BM25:
    return bm25_over(Document(title, title, f"{title}\n{text}") for title, text in PAGES)


class Script:
    """Asks what it was told to ask."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.left = list(texts)

    async def next(self, notes: Notes) -> Next:
        return Next(self.left.pop(0)) if self.left else Next(reason="finish")


_WORDS = st.sampled_from("album band seaport town singer film director winter storms coast nothing-known".split())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(_WORDS, max_size=4).map(" ".join), max_size=8),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_bounds_hold_whatever_decides(asked: list[str], most: int, k: int, limit: int) -> None:
    budget = Budget(Limits(searches=limit))
    agent = SearchAgent(pages(), Script(asked), max_searches=most, k=k, budget=budget)
    found = asyncio.run(agent.run(Query("which band made the album")))
    assert found.searches <= min(most, limit)
    assert budget.spent.searches == found.searches, "hop 0 counts"
    names = [document.id for document in found.notes.documents]
    assert len(names) == len(set(names)), "no document twice"
    assert all(len(step.read) <= k for step in found.notes.steps)
    assert found.stop_reason
    assert len({text.casefold() for text in found.notes.asked}) == found.searches, "no query twice"


async def test_why_it_ended_is_said() -> None:
    question = Query("which band made the album Tidal Maps")

    async def ended(texts: Sequence[str], **more: object) -> str:
        return (await SearchAgent(pages(), Script(texts), **more).run(question)).stop_reason  # type: ignore[arg-type]

    assert await ended(["seaport", "singer"], max_searches=2) == "budget: 2 searches"
    assert await ended([]) == "finish"
    assert await ended(["SEAPORT", "seaport"]) == "the same query again"
    assert await ended(["seaport"], stops=(NothingNew(0.0),)) == "nothing new"
    assert "searches" in await ended(["seaport"], budget=Budget(Limits(searches=1)))
    with pytest.raises(ValueError, match="max_searches 0"):
        SearchAgent(pages(), Script([]), max_searches=0)


async def test_concurrent_questions_share_one_budget() -> None:
    budget = Budget(Limits(searches=7))
    agent = SearchAgent(pages(), Feedback(), max_searches=4, budget=budget)
    found = await asyncio.gather(*(agent.run(Query(f"winter storms of coast number {i}")) for i in range(5)))
    assert sum(each.searches for each in found) == budget.spent.searches <= 7


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Were Ole Brandt and Pia Holm of the same nationality?", ("Ole Brandt", "Pia Holm")),
        ("The director of the Lord of the Rings lives in New York.", ("Lord of the Rings", "New York")),
        ("It was recorded in winter. They met Mette Krag.", ("Mette Krag",)),
        ("NASA and J. R. Firth met.", ("NASA", "J. R. Firth")),
        ("Which town is it?", ()),
        ("", ()),
    ],
)
def test_names(text: str, names: tuple[str, ...]) -> None:
    found = names_in(text)
    assert all(any(name in each for each in found) for name in names), found
    assert len(found) <= len(names) + 1


async def test_a_bridge_is_followed_with_what_is_still_asked() -> None:
    question = Query("On which coast lies the seaport that the band of Tidal Maps comes from?")
    weights = WordWeights.of(f"{title}\n{text}" for title, text in PAGES)
    found = await SearchAgent(pages(), EntityHops(weights), max_searches=4, k=1).run(question)
    read = [document.title for document in found.notes.documents]
    assert read[0] == "Tidal Maps"
    assert {"Low Harbour", "Esbjerg"} <= set(read)
    assert found.notes.steps[1].query.text.startswith("Low Harbour")
    assert found.notes.steps[1].query.parent == question.text
    assert "leads to" in found.trajectory.hops[1].thought


async def test_a_comparison_asks_for_both_names() -> None:
    question = Query("Are the directors of Dune Grass and Sand Ridge from one country?")
    notes = (await SearchAgent(pages(), Script([]), k=1).run(question)).notes
    assert names_in(question.text) == ("Dune Grass", "Sand Ridge")
    (left,) = open_names(notes)
    assert left in ("Dune Grass", "Sand Ridge")
    found = await SearchAgent(pages(), EntityHops(), max_searches=4, k=1).run(question)
    assert {"Dune Grass", "Sand Ridge"} <= {document.title for document in found.notes.documents}


def test_words_weigh_in_an_index_as_in_the_texts_it_holds() -> None:
    texts = [f"{title}\n{text}" for title, text in PAGES]
    counted, whole = WordWeights.over([pages().index]), WordWeights.of(texts)
    for word in ("tidal", "winter", "krag", "zebra"):
        assert counted[word] == pytest.approx(whole[word]), word
    assert counted["singers"] == counted["singer"], "stemmed as the index is"
    assert counted["x"] == counted["the"] == pytest.approx(math.log(2)), "what it leaves out may stand in every text"
    assert counted.rarity(["zebra", "winter"]) == 1.0
    assert counted.rarity([]) == 0.0
    twice = WordWeights.over([pages().index, pages().index])
    assert twice["winter"] == pytest.approx(counted["winter"]), "of twice as many texts"
    assert twice.most == pytest.approx(math.log(1 + 2 * len(texts)))


async def test_half_a_word_of_a_title_is_not_that_title() -> None:
    """Neither is Ann met in Annual Report, nor Art in Martin."""
    question = Query("Did Ann and Martin Art Moe meet?")
    read = [Document(title, title, title) for title in ("Annual Report", "Art", "Moe (village)")]
    steps = tuple(Step(question, Ranking(question), (Hit(document),)) for document in read)
    assert names_in(question.text) == ("Ann", "Martin Art Moe")
    assert open_names(Notes(question, steps[:1])) == ["Ann", "Martin Art Moe"]
    assert open_names(Notes(question, steps[1:2])) == ["Ann"], "a title that is a word of the name"
    assert open_names(Notes(Query("Did Martin Artist meet Ann?"), steps[1:2])) == ["Martin Artist", "Ann"]
    endings = [Document(title, title, title) for title in ("Wexner Fellowship", "Jimmy Elliott", "Germania")]
    met = Query("Did Wexner Fellowships and Jimmy Elliot help Ger Man?")
    assert names_in(met.text) == ("Wexner Fellowships", "Jimmy Elliot", "Ger Man")
    assert open_names(Notes(met, (Step(met, Ranking(met), tuple(map(Hit, endings))),))) == ["Ger Man"]
    page = Document("Log", "Log", "Log\nThe log is by Ann Lund.")
    first = Step(Query("who kept it"), Ranking(question), (Hit(page),))
    notes = Notes(first.query, (first, Step(Query("ann lunde's log"), Ranking(question), ())))
    assert (await EntityHops().next(notes)).text.startswith("Ann Lund "), "Ann Lunde was asked for, not she"


async def test_what_a_hop_knows_is_what_was_read_by_then() -> None:
    """Features of later hops cannot reach a decision: those of a cut trajectory are those that were computed when it was so long."""
    question = Query("On which coast lies the seaport that the band of Tidal Maps comes from?")
    weights = WordWeights.of(text for _, text in PAGES)
    as_it_went: list[tuple[float, ...]] = []

    class Looking:
        def stop(self, notes: Notes) -> str:
            as_it_went.append(features(notes, weights))
            return ""

    found = await SearchAgent(pages(), EntityHops(weights), (Looking(),), max_searches=5, k=1).run(question)
    whole = found.notes
    assert len(as_it_went) >= 3
    assert [features(whole.first(hop), weights) for hop in range(1, len(as_it_went) + 1)] == as_it_went
    spoiled = replace(whole, steps=(*whole.steps[:2], *reversed(whole.steps[2:])))
    assert features(spoiled.first(2), weights) == as_it_went[1], "whatever comes later"
    assert len(as_it_went[0]) == len(FEATURES)


async def test_rules_read_scores_novelty_and_cover() -> None:
    notes = (await SearchAgent(pages(), Script(["zebra"]), k=1).run(Query("album Tidal Maps"))).notes
    assert ScoreDrop().stop(notes) == "score drop", "nothing was found for a word nobody uses"
    assert ScoreDrop().stop(notes.first(1)) == ""
    assert NothingNew().stop(notes) == "nothing new"
    assert Covered().stop(notes.first(1)) == "question covered"
    assert Covered().stop(replace(notes.first(1), question=Query("the singer of Tidal Maps"))) == ""
    assert uncovered(replace(notes.first(1), question=Query("the singer of Tidal Maps"))) == ["singer"]
    assert [bridge.name for bridge in bridges(notes.first(1), WordWeights())] == ["Low Harbour"]


def trails(n: int, useful: bool) -> list[Trail]:
    """Questions of one hop and of two: what tells them apart is whether the question names a second page."""
    made = []
    for i in range(n):
        two = i % 2 == 0
        text = f"which singer has the band of Tidal Maps {i}" if two else f"album Tidal Maps {i}"
        agent = SearchAgent(pages(), Script(["Low Harbour", "Esbjerg", "film"]), max_searches=4, k=1)
        notes = asyncio.run(agent.run(Query(text))).notes
        late = two if useful else i % 3 == 0
        recalls = (0.5, 1.0, 1.0, 1.0) if late else (1.0, 1.0, 1.0, 1.0)
        made.append(Trail(notes, recalls[: len(notes.steps)], str(i)))
    return made


def test_the_classifier_stops_where_nothing_more_comes() -> None:
    learned, unseen = trails(24, useful=True), trails(30, useful=True)[24:]
    controller = fitted_controller(learned, target=0.98)
    ends = [stopped_at(controller, trail) for trail in unseen]
    kept = [trail.recalls[end - 1] for trail, end in zip(unseen, ends, strict=True)]
    assert sum(kept) / len(kept) >= 0.98
    assert sum(ends) / len(ends) < 2.5, "of four"
    for trail in unseen:
        live = next((hop for hop in range(1, 4) if controller.stop(trail.notes.first(hop))), len(trail.recalls))
        assert live == stopped_at(controller, trail), "as it decides in the loop"


def test_how_far_probabilities_can_be_taken_at_their_word() -> None:
    """Two decisions a trail of three searches: by hand."""
    one, two = (Trail(Notes(Query("q")), recalls) for recalls in ((0.5, 1.0, 1.0), (1.0, 1.0, 1.0)))
    told = Reliability.of([one, two], [[0.1, 0.9], [0.9, 0.7]])
    assert told.brier == pytest.approx((0.01 + 0.01 + 0.01 + 0.09) / 4)
    assert told.brier_of_mean == pytest.approx(0.75 * 0.25), "three of four are safe"
    # bins: .1 (unsafe) alone, .7 (safe) alone, both .9 (safe) together
    assert told.calibration_error == pytest.approx((0.1 + 0.3 + 2 * 0.1) / 4)
    assert Reliability.of([one], [[0.0, 1.0]]) == Reliability(0.0, 0.25, 0.0)
    with pytest.raises(ValueError, match="no decision"):
        Reliability.of([], [])
    learned = trails(24, useful=True)
    fitted = Reliability.of(learned, chances_out_of_fold(learned))
    assert fitted.brier < fitted.brier_of_mean / 2, "better than the base rate on trails that it has not seen"


def test_an_unreachable_target_never_stops_and_a_file_reads_back(tmp_path: object) -> None:
    from pathlib import Path

    made = trails(12, useful=False)
    controller = fitted_controller(made, target=1.0)
    assert all(trail.recalls[stopped_at(controller, trail) - 1] == 1.0 for trail in made)
    path = Path(str(tmp_path)) / "controller.json"
    path.write_text(controller.to_json())
    again = Controller.load(path, controller.idf)
    assert [stopped_at(again, t) for t in made] == [stopped_at(controller, t) for t in made]
    path.write_text('{"weights": 1}')
    with pytest.raises(BadInput, match="is no stop classifier .*`litrag train frugal` writes one"):
        Controller.load(path, WordWeights())
    with pytest.raises(ValueError, match="target 2"):
        fitted_controller(made, target=2.0)
    with pytest.raises(ValueError, match="give more questions"):
        fitted_controller(made[:0])


def test_word_weights() -> None:
    weights = WordWeights.of(["tide bay", "tide", "tide dune"])
    assert weights["tide"] == pytest.approx(math.log(2))
    assert weights["unknown"] == weights.most == pytest.approx(math.log(4))
    assert weights.rarity(["tide", "dune"]) == 1.0
    assert weights.rarity([]) == 0.0
    assert WordWeights().rarity(["x"]) == 1.0
    assert content_words("The tides of Bay") == ("tides", "bay")


def test_train_frugal_writes_a_classifier_that_ask_takes(tmp_path: object) -> None:
    import json
    from pathlib import Path

    from litrag.training.config import TrainConfig
    from litrag.training.kit import train

    folder = Path(str(tmp_path)) / "questions"
    folder.mkdir()
    corpus = [{"_id": title, "title": title, "sentences": text.split("\n")} for title, text in PAGES]
    questions = [
        {
            "_id": f"q{i}",
            "question": f"which singer has the band of Tidal Maps {i}" if i % 2 else f"what is Noise {i % 8}",
            "answer": "x",
            "type": "bridge",
            "level": "easy",
            "supporting_facts": [["Tidal Maps", 0], ["Low Harbour", 0]] if i % 2 else [[f"Noise {i % 8}", 0]],
        }
        for i in range(20)
    ]
    for name, rows in (("corpus", corpus), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = TrainConfig(
        recipe="frugal", base="none", dataset=f"hotpotqa={folder}:all", held_out=0.0, own={"searches": 3, "k": 1}
    )
    result = train(config, folder / "run")
    assert result.kind == "file"
    assert result.model.endswith("controller.json")
    controller = Controller.load(Path(result.model), WordWeights())
    assert 0 < controller.threshold <= 2
    assert result.facts["questions"] == 20
    assert train(config, folder / "run", resume=True) == result
