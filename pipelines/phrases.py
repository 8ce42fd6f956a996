"""Phrases that name a topic: what a group shares and the others do not, and what a text shares with the user's abstract.

Class-based TF-IDF over noun-like runs of one to four words, counted by document; matched by stem."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from litrag.core.types import Paper

if TYPE_CHECKING:
    import Stemmer

__all__ = ["central_phrases", "distinctive_phrases", "joined", "mentions", "near"]

_Stems: TypeAlias = tuple[str, ...]
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
_BEGINS: Final = re.compile(r"[.!?:][)\]\"”'’]*\s+|\n|\b\d+[).]\s+")  # what is behind it begins with a capital
_BREAK: Final = re.compile(r"[^\w\s-]|\n")
_STOP: Final = frozenset(
    """a about above across after again against all also although among an and another any are as at be because been before being below
    between both but by can cannot could did do does doing down during each either et al etc every few finally first for from further given
    had has have having he hence her here high his how however i if in including into is it its itself just known last less like long low
    made main mainly make many may me more moreover most much must my nd near new next no nor not novel now of off often on once one only or
    other our out over own per possible put rather recent recently respectively same second several she should show shown shows since so some
    still such than that the their them then there these they third this those three through thus to together too toward towards two under
    until up upon us use used useful using various very via want was we well were what when where whether which while who whose why will
    with within without would yet four five six seven eight nine ten hundred thousand million you your based due e.g i.e vs versus able best better good large larger largest small different particular
    even far quite hence still around despite yes mostly partly rich higher lower
    important specific general generally common available existing previous current effective efficient state-of-the-art state art
    """.split()
)
_DULL: Final = frozenset(
    """paper papers method methods approach approaches result results work works study studies task tasks model models system systems
    technique techniques problem problems research performance experiment experiments experimental evaluation analysis data dataset datasets
    set sets way ways number example examples case cases use uses information process framework algorithm algorithms application applications
    feature features type types part parts set development challenge challenges issue issues improvement improvements baseline baselines
    accuracy quality level levels time order terms term goal goals aim aims focus question questions word words text texts language languages
    sentence sentences document documents article articles researchers community field area areas domain domains tool tools resource resources
    human user users training test learning knowledge input output role effect effects difference differences comparison overview introduction
    describe describes described present presents presented propose proposes proposed introduce introduces introduced investigate explore
    explores demonstrate demonstrates achieve achieves achieved improve improves improved outperform outperforms obtain obtained provide
    provides provided develop developed report reports reported evaluate evaluated compare compared consider considered address apply applied
    exploit exploits employ employed leverage enable enables allow allows require requires significantly significant novel simple shared
    conference proceedings workshop author authors abstract section figure table university year years i.e world real complex toward
    automatically automatic effectively efficiently strong robust scale large-scale end-to-end multiple single joint
    nlp natural computational linguistics support supports pair pairs reason reasons experience experiences people person thing things source sources
    space spaces structure structures item items instance instances element elements
    """.split()
)
_VERBAL: Final = re.compile(r"(ed|ly|izes?|ises?|ifies)$")
_ADJECTIVAL: Final = re.compile(
    r"(?:[a-z]{2}(?:al|ic|ive|ous|ary|able|ible|ual|ful|less|ent|ant|ian|ese|ar)|-based|-aware|-level|-oriented|resource|neural)$"
)
_NOUNS: Final = frozenset(
    """retrieval proposal topic metric arabic rhetoric summary dictionary vocabulary commentary glossary library signal manual removal goal
    portal perspective objective narrative trial journal agent argument sentiment statement alignment document treatment assessment judgment
    judgement entailment disagreement agreement improvement enrichment content component event patent variant assistant grammar seminar
    comparative directive hospital material potential interval arrival referral denial modal initiative logic music fabric lyric
    traffic clinic critic arithmetic antecedent intent segment fragment parent student experiment environment engagement table cable variable
    year seminar corpus italian russian norwegian persian romanian hungarian indonesian chinese japanese vietnamese portuguese
    """.split()
)


def distinctive_phrases(group: Sequence[Paper], others: Sequence[Paper], n: int = 2) -> tuple[str, ...]:
    """Up to `n` phrases that at least two papers of the group use (one, in a group of one) and two fifths of them, three of a lone word, best first, none
    sharing a word with another; fewer, or none, where nothing distinguishes the group.

    Score: share of the group's papers x log of how rare it is in the others, longer phrases and words of titles preferred; a phrase
    that stands mostly inside a longer one gives way to it (C-value, Frantzi et al., 2000)."""
    forms: dict[_Stems, Counter[str]] = {}
    texts = " ".join(paper.text for paper in group)
    inside = _document_counts((paper.text for paper in group), forms)
    titled = _document_counts((paper.title for paper in group), {})
    outside = _document_counts((paper.text for paper in others), {})
    least = [min(len(group), max(2, math.ceil(share * len(group)))) for share in (0.6, 0.4, 0.4, 0.4)]
    scores = {
        phrase: (count / len(group))
        * math.log((len(others) + 2) / (outside[phrase] + 1))
        * (0.7, 1.6, 1.8, 1.8)[len(phrase) - 1]
        * (1.3 if titled[phrase] else 1.0)
        for phrase, count in _free(inside).items()
        if count >= least[len(phrase) - 1]
        and " ".join(phrase) not in _too_wide()
        and (
            len(phrase) > 1
            or (titled[phrase] >= max(min(2, len(group)), len(group) / 3) and _noun(forms[phrase], texts))
        )
        and 1.4 * outside[phrase] * len(group) <= count * (len(others) or 1)
        and 2 * outside[phrase] <= (len(others) or 1)
    }
    worth = 0.5 * max(scores.values(), default=0.0)
    ranked = sorted(
        (phrase for phrase in scores if scores[phrase] >= worth), key=lambda phrase: (-scores[phrase], phrase)
    )
    return tuple(_plural(phrase, texts) for phrase in _distinct(ranked, forms, n))


@functools.cache
def _too_wide() -> frozenset[str]:
    """Names of whole fields, which tell no group apart, by their stems."""
    names = (
        "neural networks",
        "neural models",
        "deep learning",
        "machine learning",
        "language processing",
        "language models",
        "language understanding",
    )
    return frozenset(" ".join(_stems(name.split())) for name in names)


def central_phrases(text: str, attested: Sequence[str], n: int = 12) -> tuple[str, ...]:
    """Up to `n` phrases that a text uses more than once, or in its first line, its title, where a lone word has to stand, too; by how often it does, best
    first: those that one of the `attested` texts uses too, so that chance neighbours ("settings back-translations") drop out."""
    forms: dict[_Stems, Counter[str]] = {}
    counts: Counter[_Stems] = Counter()
    first: dict[_Stems, int] = {}
    for at, (phrase, form) in enumerate(_runs(text)):
        counts[phrase] += 1
        first.setdefault(phrase, at)
        forms.setdefault(phrase, Counter())[form] += 1
    known = _document_counts(attested, {})
    titled = {phrase for phrase, _ in _runs(text.partition("\n")[0])}
    weight = {
        phrase: count * (0.6, 1.8, 2.2, 2.2)[len(phrase) - 1]
        for phrase, count in _free(counts).items()
        if known[phrase]
        and (
            phrase in titled or count > 1
            if len(phrase) > 1
            else phrase in titled and count > 1 and _noun(forms[phrase], text)
        )
    }
    ranked = sorted(weight, key=lambda phrase: (-weight[phrase], first[phrase]))
    everything = " ".join((text, *attested))
    return tuple(_plural(phrase, everything) for phrase in _distinct(ranked, forms, n))


def _plural(phrase: str, text: str) -> str:
    """The phrase in the plural where the text counts it ("a benchmark that"); "work on benchmark" is no English. What ends in -ing has none that could be
    formed safely: "an entity linking that" makes no "entity linkings"."""
    one = rf"\b(?:an?|each|every)\s+(?:[\w-]+\s+){{0,2}}{re.escape(phrase)}(?=[.,;:)]|\s+(?:that|which|for|of|in|to|is|and|with|on|by|from)\b)"
    if phrase.endswith(("s", "ing")) or not phrase[-1].islower() or not re.search(one, text, re.IGNORECASE):
        return phrase
    if phrase.endswith("y") and phrase[-2] not in "aeiou":
        return phrase[:-1] + "ies"
    return phrase + ("es" if phrase.endswith(("x", "ch", "sh")) else "s")


def _noun(forms: Counter[str], text: str) -> bool:
    """Whether a lone word stands after an article or a preposition somewhere: "illustrate" never does."""
    words = "|".join(re.escape(form.removeprefix(_INITIAL)) for form in forms)
    return (
        re.search(rf"\b(?:the|an?|of|in|for|on|with|from|between|their|this)\s+(?:{words})\b", text, re.IGNORECASE)
        is not None
    )


def _document_counts(texts: Iterable[str], forms: dict[_Stems, Counter[str]]) -> Counter[_Stems]:
    counts: Counter[_Stems] = Counter()
    for text in texts:
        runs = list(_runs(text))
        counts.update({phrase for phrase, _ in runs})
        for phrase, form in runs:
            forms.setdefault(phrase, Counter())[form] += 1
    return counts


def _free(counts: Counter[_Stems]) -> dict[_Stems, int]:
    """The phrases that do not stand mostly (60 %) within one longer phrase."""
    held: dict[_Stems, int] = {}
    for phrase, count in counts.items():
        for size in range(1, len(phrase)):
            for i in range(len(phrase) - size + 1):
                part = phrase[i : i + size]
                held[part] = max(held.get(part, 0), count)
    return {phrase: count for phrase, count in counts.items() if held.get(phrase, 0) < 0.6 * count}


def mentions(text: str, phrase: str) -> bool:
    """Whether the text uses the phrase, word forms apart."""
    stems = _stems(_WORD.findall(phrase))
    words = _stems(_WORD.findall(text))
    return any(words[i : i + len(stems)] == stems for i in range(len(words) - len(stems) + 1))


def near(text: str, phrase: str) -> bool:
    """Whether the text has, wherever they stand, all words of the phrase but its last, which says what kind of thing it is: "multi-hop questions" are
    near "multi-hop reasoning". A lone word has to be there itself."""
    words = phrase.split()
    wanted = " ".join(words[:-1] or words).replace("-", " ")
    return set(_stems(_WORD.findall(wanted))) <= set(_stems(_WORD.findall(text.replace("-", " "))))


def joined(phrases: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"; "" for none."""
    items = list(phrases)
    return "".join(items) if len(items) < 2 else f"{', '.join(items[:-1])} and {items[-1]}"


def _distinct(ranked: Sequence[_Stems], forms: dict[_Stems, Counter[str]], n: int) -> tuple[str, ...]:
    chosen: list[_Stems] = []
    for phrase in ranked:
        if len(chosen) < n and not any(set(phrase) & set(other) for other in chosen):
            chosen.append(phrase)
    return tuple(_surface(forms[phrase]) for phrase in chosen)


def _surface(forms: Counter[str]) -> str:
    """The commonest spelling, in the plural where the texts have one ("citations", not "citation"). A word keeps its capitals where
    it is an acronym, or where it has them within plain running text every time (a name)."""
    plain = Counter({form: n for form, n in forms.items() if not form.startswith(_INITIAL)})
    known = plain or Counter({form.removeprefix(_INITIAL): n for form, n in forms.items()})
    plural = {form: n for form, n in known.items() if form.endswith("s") and form.lower() != form[:-1].lower() + "ss"}
    common = {form: n for form, n in plural.items() if " " not in form or 4 * n >= max(known.values())}
    choices = common or known
    best = min(choices, key=lambda form: (-choices[form], form)).split()
    same = [form.split() for form in known if len(form.split()) == len(best)]
    named = [bool(plain) and not any(form[i].islower() for form in same) for i in range(len(best))]
    return " ".join(word if keep else _lowered(word) for word, keep in zip(best, named, strict=True))


def _lowered(word: str) -> str:
    """Lower case but for acronyms and what holds digits."""
    return "-".join(
        part if sum(c.isupper() for c in part) > 1 or any(c.isdigit() for c in part) else part.lower()
        for part in word.split("-")
    )


_INITIAL: Final = "^"


def _runs(text: str) -> Iterable[tuple[_Stems, str]]:
    """Stemmed runs of one to four words that may name a topic, with their spelling, marked where a capital may be due to its place."""
    for sentence in _BEGINS.split(text):
        long = [word for word in _WORD.findall(sentence) if len(word) > 3]
        titled = sum(word[0].isupper() for word in long) > 0.6 * len(long)
        chunks = [words for chunk in _BREAK.split(sentence) if (words := _WORD.findall(chunk))]
        for n, words in enumerate(chunks):
            stems = _stems(words)
            for size in (1, 2, 3, 4):
                for i in range(len(words) - size + 1):
                    run = [word.casefold() for word in words[i : i + size]]
                    if _nameable(run):
                        by_place = titled or (i == 0 and n == 0)
                        yield tuple(stems[i : i + size]), (_INITIAL if by_place else "") + " ".join(words[i : i + size])


def _nameable(run: Sequence[str]) -> bool:
    if any(word in _STOP or len(word) < 2 for word in run) or run[0] in _BARE_FIRST or run[-1] in _BARE_LAST:
        return False
    if _VERBAL.search(run[-1]) or (_ADJECTIVAL.search(run[-1]) and run[-1] not in _NOUNS) or run[0].endswith("ly"):
        return False
    if len(run) == 1:
        return run[0] not in _DULL and len(run[0]) > 2 and not run[0].endswith("ing")
    return not all(word in _DULL for word in run) and len(set(run)) == len(run)


_BARE_FIRST: Final = frozenset(
    """results experiments experimental method methods approach paper work study propose proposed present presented introduce describe
    investigate explore demonstrate achieve improve outperform obtain provide develop report evaluate compare consider address apply
    evaluating improving applying building exploring investigating understanding towards addressing comparing predicting detecting
    shows performance significant significantly simple automatically baseline baselines strong published require requires support supports
    leverage exploit employ enable allow map maps number set task tasks model models system systems goal aim
    """.split()
)
_BARE_LAST: Final = frozenset(
    """results experiments method methods approach approaches paper work study performance task tasks problem problems technique techniques
    researchers outperform outperforms achieve achieves significantly improve improves shows present provide provides propose
    require requires support supports allow allows enable automatically baseline baselines setting settings write writes cite cites
    find finds learn learns help helps need needs make makes take takes give gives say says ask asks fail fails become becomes generate
    line lines point points score scores manner kind kinds respect basis variety range amount lack need aspect aspects
    generates predict predicts capture captures contain contains include includes perform performs benefit benefits remain remains
    """.split()
)


def _stems(words: Sequence[str]) -> list[str]:
    return list(_stemmer().stemWords([word.casefold() for word in words]))


@functools.cache
def _stemmer() -> Stemmer.Stemmer:
    import Stemmer

    return Stemmer.Stemmer("english")
