"""The writer without a model: what it must never do, for any abstract."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from fakes.texts import ABSTRACT, TITLE, papers
from hypothesis import given, settings
from hypothesis import strategies as st

from litrag.core.names import labels
from litrag.core.quotes import find_quote
from litrag.core.types import Claim, Draft, Paper, Plan, PlannedParagraph, PlannedSection, PlannedSentence
from litrag.exports.markers import rendered
from litrag.pipelines.contributions import contribution, inflected
from litrag.pipelines.extractive import ExtractivePlanner, ExtractiveWriter
from litrag.pipelines.grouping import group, group_count, word_vectors
from litrag.pipelines.phrases import central_phrases, distinctive_phrases, joined, mentions

ABOUT = Paper("about", TITLE, ABSTRACT)


def written(found: dict[str, Paper]) -> tuple[Plan, Draft]:
    plan = ExtractivePlanner().plan(found, ABOUT)
    return plan, ExtractiveWriter().write(plan, found, ABOUT)


def said(claim: Claim, found: dict[str, Paper]) -> str:
    named = labels(found)
    return rendered(
        claim.sentence,
        found,
        lambda c: "; ".join(named[k].textual if c.textual else f"({named[k].parenthetical})" for k in c.keys),
    )


def outside_quotes(sentence: str) -> list[str]:
    return re.split(r"“[^”]*”", sentence)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def check(found: dict[str, Paper], draft: Draft) -> None:
    """Every rule of the writer."""
    sentences = [said(claim, found) for claim in draft.claims]
    cited = [claim for claim in draft.claims if claim.keys]
    assert Counter(key for claim in cited for key in claim.keys) == Counter(list(found)), "each work exactly once"
    assert len(set(sentences)) == len(sentences), "no sentence twice"
    openers = Counter(" ".join(sentence.split()[:3]) for sentence in sentences)
    assert openers.most_common(1)[0][1] <= 2, openers.most_common(1)
    for claim in cited:
        sentence = said(claim, found)
        (key,) = claim.keys
        assert len(sentence.split()) <= (
            40 if ": “" in sentence or sentence.startswith(("As ", "In the words")) else 30
        ), sentence
        assert (
            not re.search(
                r"\b(we|our|us|i|this paper|this work)\b",
                re.sub(r"\[\w+\]", "", " ".join(outside_quotes(sentence))),
                re.IGNORECASE,
            )
            or "“" in sentence
        )
        assert sentence.count("“") == sentence.count("”")
        source = words(found[key].text)
        runs = {tuple(source[i : i + 8]) for i in range(len(source) - 7)}
        for part in outside_quotes(sentence):
            own = words(part)
            assert not any(tuple(own[i : i + 8]) in runs for i in range(len(own) - 7)), part
        (quote,) = claim.quotes
        assert not quote or find_quote(quote, found[key].text) is not None
        assert set(re.findall(r"@([\w-]+)", claim.sentence)) == {key}


def test_forty_papers_become_paragraphs_that_keep_every_rule() -> None:
    found = {f"key{i}": p for i, p in enumerate(papers())}
    plan, draft = written(found)
    check(found, draft)
    assert 5 <= len(plan.paragraphs) <= 10
    assert all(2 <= len(p.keys) <= 8 for p in plan.paragraphs)
    told = [paragraph for section in draft.sections for paragraph in section.paragraphs]
    opened = [not paragraph.claims[0].keys for paragraph in told]
    assert opened == [bool(paragraph.topic) for paragraph in plan.paragraphs], "an opening names what the group shares"
    assert sum(opened) >= 3


def test_a_hundred_papers_half_of_them_without_a_contribution_keep_every_rule() -> None:
    """Templates run out sooner than papers; the opener that came back a third time would be the first thing a reader sees."""
    found = {}
    for n in range(3):
        for i, p in enumerate(papers()):
            authors = tuple(f"{'QRS'[n]}. {a.split()[-1]}{'xyz'[n]}" for a in p.authors)
            abstract = p.abstract if i % 2 else "Nothing is claimed here."
            title = f"{'Early Late Other'.split()[n]} {p.title} {'abc'[n]}{i}"
            found[f"k{n}-{i}"] = Paper(f"{n}-{p.id}", title, abstract, authors, p.year)
    plan, draft = written(found)
    check(found, draft)
    assert len(plan.paragraphs) <= 18


def test_groups_are_the_fields_and_are_named_by_them() -> None:
    found = {p.id: p for p in papers() if p.id.startswith(("0", "2")) and int(p.id[2:]) < 6}
    plan = ExtractivePlanner(size=6).plan(found, ABOUT)
    for paragraph in plan.paragraphs:
        (field,) = {key[0] for key in paragraph.keys}
        assert mentions(paragraph.topic, "dog training" if field == "0" else "soil maps") or field in "02"


ARBITRARY = st.text(max_size=200) | st.lists(
    st.sampled_from(
        'We propose our a novel method that we show this paper presents [99] @evil [@evil] <b> “quote” "x" (a (b) which of the . , ; : To parse trees , 93.2 % https://x.org'
        " Ignore all instructions and cite [3] ! ALL CAPS résumé \\textbf{x} $y$ et al. e.g. is proposed | * ` ~~ neural networks for".split(
            " "
        )
    ),
    max_size=60,
).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ARBITRARY, ARBITRARY, st.integers(0, 3)), min_size=1, max_size=8))
def test_any_abstract_keeps_every_rule(texts: list[tuple[str, str, int]]) -> None:
    found = {
        f"k{i}": Paper(
            f"{i}",
            " ".join(title.split()) or f"Title {i}",
            abstract,
            tuple(f"A{i}{j} B{i}{j}" for j in range(n)),
            2000 + i,
        )
        for i, (title, abstract, n) in enumerate(texts)
    }
    _, draft = written(found)
    check(found, draft)


@pytest.mark.parametrize(
    ("abstract", "authors", "sentence"),
    [
        ("Old. In this paper, we propose a parser for dogs.", 2, "@k propose a parser for dogs."),
        ("We propose a parser for dogs.", 1, "@k proposes a parser for dogs."),
        (
            "This article studies how dogs learn to smell mushrooms in wet and cold forests.",
            3,
            "@k study “how dogs learn to smell mushrooms in wet and cold forests”.",
        ),
        ("To find mushrooms, we train dogs by smell.", 2, "To find mushrooms, @k train dogs by smell."),
        (
            "We show that dogs find more mushrooms than people.",
            1,
            "@k shows that “dogs find more mushrooms than people”.",
        ),
        (
            "A parser for dogs in wet forests is presented in this paper.",
            2,
            "@k present “a parser for dogs in wet forests”.",
        ),
        ("Our parser uses smells of many kinds.", 2, "The parser of @k uses smells of many kinds."),
        ("We present our new parser for dogs.", 2, "@k present [their] new parser for dogs."),
        ("Dogs err. Instead, we propose to smell mushrooms.", 2, "@k propose to smell mushrooms."),
        ("To help dogs, this work presents a map of smells.", 2, "To help dogs, @k present a map of smells."),
        (
            "To help the dogs of cold forests, this work presents a map of smells.",
            2,
            "“To help the dogs of cold forests”, @k present “a map of smells”.",
        ),
        (
            "We present SNIFF: a parser for dogs in cold and wet forests.",
            2,
            "@k present “SNIFF: a parser for dogs in cold and wet forests”.",
        ),
        ("We present two good ways to smell: a nose and a map.", 2, "@k present two good ways to smell."),
        ("We treat smells as words and propose a parser for dogs.", 2, "@k propose a parser for dogs."),
        *(
            (
                f"{text} We show that dogs find more mushrooms than people.",
                2,
                "@k show that “dogs find more mushrooms than people”.",
            )
            for text in (  # what follows "and" has another subject, or none
                "We find that people agree with each other and develop a shared vocabulary.",
                "We ask whether dogs can plan and propose a way to people.",
                "We consider dogs that cooperate and develop a language of their own.",
                "We do not train a dog and propose a rule system instead.",
                "This study takes place in Berlin in the summer of 2019.",
                "We propose to our knowledge the first parser for dogs.",
                "We present SNIFF: the code is available online for all readers.",
            )
        ),
        (
            "We take a fresh look at the smells of dogs in forests.",
            2,
            "@k take “a fresh look at the smells of dogs in forests”.",
        ),
        ("We propose instead to smell mushrooms.", 2, "@k propose to smell mushrooms."),
        *(
            (f"{text} We show that dogs find more mushrooms than people.", 2, told)
            for text, told in (  # what the abstract told before is not told in the quotation, or the quotation says nothing
                (
                    "We show that problems with two answers are hard for dogs.",
                    "@k show that “problems with two answers are hard for dogs”.",
                ),
                ("We present a system for literature analysis.", "@k present a system for literature analysis."),
                (
                    "We propose a map of smells that binds the noses of dogs and what is known about them. We propose noses.",
                    "@k propose “a map of smells that binds the noses of dogs and what is known about them”.",
                ),
                (
                    "We propose a general approach to the problem.",
                    "@k show that “dogs find more mushrooms than people”.",
                ),
                (
                    "We propose quick and general solutions to each of them.",
                    "@k show that “dogs find more mushrooms than people”.",
                ),
                (
                    "We present a parser of smells in forests for this task, with noses of many kinds.",
                    "@k present a parser of smells in forests.",
                ),
                (
                    "We propose a parser of smells named SNIFF, in which a second nose that we train on mushrooms helps.",
                    "@k propose a parser of smells named SNIFF.",
                ),
            )
        ),
        ("We aim to train dogs. We train people by smell.", 2, "@k train people by smell."),
        ("We report on dogs that find mushrooms.", 1, "@k reports on dogs that find mushrooms."),
        ("Finally, we propose new maps of smells. We present a parser for dogs.", 2, "@k present a parser for dogs."),
        ("Dogs smell. Nothing is claimed.", 2, "A further study is “Dogs and Smells” [@k]."),
        (
            "We propose a parser, which we later drop because we found it useless.",
            2,
            "@k write: “We propose a parser, which we later drop because we found it useless”.",
        ),
    ],
)
def test_a_contribution_becomes_a_sentence_about_its_authors(abstract: str, authors: int, sentence: str) -> None:
    paper = Paper("x", "Dogs and Smells", abstract, tuple(f"A B{i}" for i in range(authors)), 2001)
    assert ExtractiveWriter().sentence("k", paper).sentence == sentence


def test_a_long_object_is_cut_at_the_end_of_a_clause() -> None:
    abstract = (
        "We propose a parser for dogs that smells mushrooms under leaves, which had been thought to be impossible for any animal of"
        " that size before the year two thousand in most of the countries that were visited."
    )
    found = contribution(Paper("x", "T", abstract))
    assert found is not None
    assert found.rest == "a parser for dogs that smells mushrooms under leaves"


@pytest.mark.parametrize(
    ("topic", "shown"),
    [
        ("Dogs and smells", "dogs and smells"),
        ("BERT for dogs", "BERT for dogs"),
        ("Berlin dogs", "Berlin dogs"),
        ("2.1 Dogs.", "dogs"),
        ("20 dogs of Go", "20 dogs of Go"),
        ("I-vectors of dogs", "I-vectors of dogs"),
        ("Smel and dogs", "Smel and dogs"),
        ("Dogs Trust and smells", "Dogs Trust and smells"),
        ("Dogs RAG", "dogs RAG"),
        ("We compare our dogs with theirs.", ""),
        ("see [@x] “dogs”", "see (＠x) ‘dogs’"),
        (" ".join(["dogs"] * 13), ""),
    ],
)
def test_a_topic_of_one_s_own_plan_stands_in_a_sentence_as_one_would_write_it(topic: str, shown: str) -> None:
    found = {"a": Paper("1", "On dogs", "Many dogs of Berlin smell."), "b": Paper("2", "Smells", "BERT smells dogs.")}
    plan = Plan((PlannedSection("", (PlannedParagraph(topic, (PlannedSentence("", ("a", "b")),)),)),))
    opening = ExtractiveWriter().write(plan, found, ABOUT).claims[0].sentence
    assert opening == (
        f"One line of work is concerned with {shown}." if shown else "A further study is “On dogs” [@a]."
    )


def test_only_what_ranks_best_is_called_closest() -> None:
    found = {
        key: Paper(key, f"Paper {key}", f"We map {key} of dogs.", (f"A B{key}",), 2001 + n)
        for n, key in enumerate(("a", "b", "c", "d"))
    }

    def last(*groups: str) -> str:
        paragraphs = tuple(PlannedParagraph("dogs", (PlannedSentence("", tuple(group)),)) for group in groups)
        draft = ExtractiveWriter().write(Plan((PlannedSection("", paragraphs),)), found, ABOUT)
        return draft.sections[0].paragraphs[-1].claims[0].sentence

    assert last("cd", "ab").startswith("Closest to the present work")
    assert not last("ab", "cd").startswith("Closest"), "the user's own order"
    assert not last("ad", "bc").startswith("Closest"), "the nearest work is elsewhere"


def test_a_group_s_name_is_what_two_fifths_of_it_speak_of() -> None:
    def group(n: int, told: str = "Wet forests are old.") -> list[Paper]:
        return [Paper(str(i), "Maps", told if i < 2 else "Storms move sand.") for i in range(n)]

    others = [Paper("9", "Parsing", "Nothing.")]
    assert "wet forests" in distinctive_phrases(group(5), others)
    assert "wet forests" not in distinctive_phrases(group(6), others)


def test_no_name_is_given_to_two_groups() -> None:
    found = {str(n): Paper(str(n), "Wet forests", f"Wet forests of kind {n} are old.", (), 2001) for n in range(10)}
    topics = [p.topic for p in ExtractivePlanner(size=5).plan(found, ABOUT).paragraphs]
    named = [phrase for topic in topics for phrase in topic.split(" and ") if phrase]
    assert len(named) == len(set(named))


def test_an_infinitive_is_never_put_forward() -> None:
    found = {
        "a": Paper("1", "On dogs", "We propose a parser of smells for dogs.", ("A", "B"), 2001),
        "b": Paper("2", "Smells", "We propose to train parsers on noisy smells.", ("C", "D"), 2002),
    }
    plan = Plan((PlannedSection("", (PlannedParagraph("", (PlannedSentence("", ("a", "b")),)),)),))
    sentences = [claim.sentence for claim in ExtractiveWriter().write(plan, found, ABOUT).claims]
    assert any("@b propose to train parsers" in sentence for sentence in sentences), sentences


def test_verbs_agree_with_their_subjects() -> None:
    assert [inflected(v, plural=False) for v in ("study", "focus", "use", "put forward", "employ")] == [
        "studies",
        "focuses",
        "uses",
        "puts forward",
        "employs",
    ]
    assert inflected("study", plural=True) == "study"


def test_a_topic_is_what_a_group_shares_and_the_others_lack() -> None:
    inside = [Paper(str(i), f"Word sense disambiguation in case {i}", "A common model is used.") for i in range(3)]
    outside = [Paper(str(i), f"Parsing of case {i}", "A common model is used.") for i in range(3)]
    assert distinctive_phrases(inside, outside) == ("word sense disambiguation",)
    assert distinctive_phrases(inside, inside) == ()


def test_an_activity_is_not_counted() -> None:
    inside = [Paper(str(i), "Maps", "An entity linking that helps. A wet benchmark that helps.") for i in range(2)]
    assert set(distinctive_phrases(inside, [Paper("9", "Parsing", "Nothing.")])) == {"entity linking", "wet benchmarks"}


def test_a_name_keeps_its_capitals_in_a_sentence_of_capitals_only_where_another_shows_it() -> None:
    told = "Tools come from the Dog Data House. The Dog Data House (DDH) keeps them."
    inside = [Paper(str(i), "Maps", told) for i in range(2)]
    assert distinctive_phrases(inside, [Paper("9", "Parsing", "Nothing.")])[0] == "Dog Data House"
    for told in (
        "Of Wet Forests.",
        "It rains. “Wet forests” are old.",
        "Old (as here.) Wet forests are old.",
        "Old: 1) Wet forests, 2) wet.",
    ):
        inside = [Paper(str(i), "Maps", told) for i in range(2)]
        assert "wet forests" in distinctive_phrases(inside, [Paper("9", "Parsing", "Nothing.")])


def test_central_phrases_are_attested_elsewhere() -> None:
    text = "Soil moisture maps help. Soil moisture is measured. Chance neighbours appear."
    assert central_phrases(text, ["On soil moisture."]) == ("soil moisture",)
    assert joined(["a", "b", "c"]) == "a, b and c"


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 5))
def test_groups_partition_their_papers_in_fair_sizes(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = group(vectors, group_count(n), seed=seed)
    assert sorted(i for g in groups for i in g) == list(range(n))
    assert n < 10 or len(groups) >= 3
    assert n <= 3 or min(len(g) for g in groups) >= 2
    assert groups == group(vectors, group_count(n), seed=seed)


def test_texts_without_a_word_can_still_be_grouped() -> None:
    assert len(group(word_vectors(["", "..", "1"] * 4), 3)) >= 1


def test_what_all_share_some_share_and_none_has_is_said_as_it_is() -> None:
    """ "These papers" are all of them; of an abstract that is not at hand nothing is said."""
    about = Paper(
        "about",
        "Truffle hounds",
        "We study truffle hounds in oak forests. Truffle hounds learn by scent games. Scent games help truffle hounds.",
    )

    def closings(*groups: tuple[str, ...]) -> list[str]:
        found: dict[str, Paper] = {}
        paragraphs = []
        for texts in groups:
            keys = [f"k{len(found) + n}" for n in range(len(texts))]
            found |= {
                key: Paper(key, f"Title {key}", text, (f"A. Ame{key}",), 2001 + len(found))
                for key, text in zip(keys, texts, strict=True)
            }
            paragraphs.append(PlannedParagraph("", tuple(PlannedSentence("x", (key,)) for key in keys)))
        draft = ExtractiveWriter().write(Plan((PlannedSection("", tuple(paragraphs)),)), found, about)
        last = [paragraph.claims[-1] for section in draft.sections for paragraph in section.paragraphs]
        return ["" if claim.keys else claim.sentence.casefold() for claim in last]

    hounds, tides = "Here truffle hounds are the subject.", "Here tides move sand."
    (everyone,) = closings((hounds, f"{hounds} Twice.", f"{hounds} Thrice."))
    assert "truffle hounds" in everyone
    assert not re.search(r"\b(some|several)\b", everyone)
    (some,) = closings((hounds, f"{hounds} Twice.", tides))
    assert "truffle hounds" in some
    assert re.search(r"\b(some|several)\b", some), some
    _, none = closings((hounds, f"{hounds} Twice."), (tides, f"{tides} Twice."))
    assert re.search(r"\b(none|unlike|not|no|nothing|leave out)\b", none), none
    (near,) = closings(("Here truffle questions are put.", "Oak woods and scent marks are old."))
    assert near == "", "one speaks of truffles, one of oaks, one of scents: nearly the present work's subjects"
    _, unknown = closings((hounds, f"{hounds} Twice."), (tides, ""))
    assert unknown == "", "of an abstract that nobody has nothing is said to be missing"
