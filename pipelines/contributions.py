"""What a paper contributes, in its own words: from "We propose X" to the clause (propose, X) that can be said of its authors.

Contribution sentences are known by their form: "we <verb>", "this paper <verb>s", "X is <verb>ed", "our system <verb>s". The object is
cut at the end of a clause or phrase, never inside one, and kept verbatim, first-person words in it replaced in brackets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from litrag.core.quotes import APART
from litrag.core.sentences import sentences
from litrag.core.types import Paper

__all__ = ["Contribution", "contribution", "inflected", "quotable", "verbatim"]

_PLAIN: Final = (
    "propose present introduce describe develop investigate study explore examine demonstrate address analyse analyze evaluate compare"
    " apply extend design build create construct provide release employ discuss consider formulate formalise formalize outline suggest tackle"
    " adapt exploit leverage generalise generalize combine incorporate define derive devise survey review characterise characterize offer"
    " implement adopt revisit advocate model treat train collect annotate conduct perform use focus take aim seek"
).split()
_TO: Final = ("propose", "aim", "seek")  # verbs that an infinitive may follow
_NEW: Final = _PLAIN[:6]  # verbs that bring something
_THAT: Final = "show find argue demonstrate report observe suggest prove hypothesise hypothesize".split()
_ODD: Final = {"use": ("uses", "used"), "study": ("studies", "studied"), "apply": ("applies", "applied"), "build": ("builds", "built"), "show": ("shows", "shown"),
               "find": ("finds", "found"), "focus": ("focuses", "focused"), "take": ("takes", "took"), "seek": ("seeks", "sought")}  # fmt: skip
_AFTER: Final = {"report": ("that ", "on "), "show": ("that ", "the ", "a ")}  # what else may follow verbs of "that"
_ADVERB: Final = r"(?:(?:also|further|then|first|here|therefore|thus|hence|now|instead|additionally|successfully|empirically|systematically|[a-z]+ly)\s+)?"
_VENUE: Final = r"(?:In\s+this\s+(?:paper|work|article|study|thesis|report|contribution|demo(?:nstration)?|survey|position paper|system description)\s*,?\s*)?"
_TURN: Final = (
    r"(?:(?:Instead|Specifically|In particular|Concretely|Here|Therefore|Thus|Hence|Consequently|Accordingly|To this end|To that end"
    r"|Motivated by this|Inspired by this|(?P<more>Furthermore|Moreover|In addition|Additionally|Finally))\s*,?\s+)?"
)
_SUBORDINATE: Final = (
    r"(?:that|which|who|whose|how|why|what|whether|when|where|while|if|to|not|never|no)"  # another subject may follow
)
_LEAD: Final = (
    r"(?P<lead>(?:To|For|By|Using|Based on|Given|With|Building on|Motivated by|Inspired by|Unlike)\s[^,;:]{3,80},\s*)?"
)
_WORK: Final = r"(?:paper|work|article|study|thesis|report|research|survey|tutorial|contribution|demo(?:nstration)?|position paper|submission|chapter|overview)"


def inflected(verb: str, *, plural: bool) -> str:
    """The present tense for one author or several: "proposes", "propose"."""
    if plural:
        return verb
    if " " in verb:
        head, _, tail = verb.partition(" ")
        return f"{inflected(head, plural=False)} {tail}"
    if verb in _ODD:
        return _ODD[verb][0]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "ch", "sh")) else "s")


def _past(verb: str) -> str:
    if verb in _ODD:
        return _ODD[verb][1]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + ("d" if verb.endswith("e") else "ed")


_THIRD: Final = {inflected(verb, plural=False): verb for verb in (*_PLAIN, *_THAT)}
_PAST: Final = {_past(verb): verb for verb in _PLAIN}


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_WE: Final = re.compile(
    rf"^{_TURN}{_VENUE}{_LEAD}(?:[Ww]e|I)\s+(?:will\s+)?{_ADVERB}(?P<verb>{_any([*_PLAIN, *_THAT])})\s+(?P<rest>.+)$"
)
_WE_LATER: Final = re.compile(
    rf"(?:,\s+(?:and\s+)?|\band\s+|:\s+)we\s+{_ADVERB}(?P<verb>{_any(_PLAIN[:12])})\s+(?P<rest>.+)$"
    rf"|\b[Ww]e\s+{_ADVERB}(?:{_any(_PLAIN)})\s(?:(?!\b{_SUBORDINATE}\b)[^,;:]){{3,80}}\sand\s+{_ADVERB}(?P<also>{_any(_NEW)})\s+(?P<thing>an?\s.+)$"
)
_THIS: Final = re.compile(
    rf"^{_TURN}{_LEAD}(?:[Tt]his|[Tt]he\s+present|[Tt]he\s+current|The|Our)\s+(?:\w+\s+)?{_WORK}\s+{_ADVERB}(?P<verb>{_any(_THIRD)})\s+(?P<rest>.+)$"
)
_PASSIVE: Final = re.compile(
    rf"^{_VENUE}(?P<rest>(?:An?|The|Two|Three|Several|[A-Z][\w-]*)\s[^,;:]{{8,160}}?)\s+(?:is|are|was|were|has been|have been)\s+{_ADVERB}(?P<verb>{_any(_PAST)})(?:\s+in\s+this\s+{_WORK})?(?P<tail>[\s,.;:].*)?$"
)
_THING: Final = re.compile(
    rf"^(?:Our|The\s+proposed)\s+(?P<thing>(?:\w[\w-]*\s+){{0,3}}(?:model|method|approach|system|framework|algorithm|parser|architecture|technique|corpus|dataset))\s+{_ADVERB}(?P<verb>[a-z]+s)\s+(?P<rest>.+)$"
)
_NAMED: Final = re.compile(r"^(?P<rest>[A-Z][\w-]*[A-Z0-9][\w-]*)\s+is\s+(?P<what>an?\s.+)$")

_FIRST_PERSON: Final = re.compile(
    r"\b(we|us|i|ourselves|me)\b|\b(this|the (?:present|current)) (?:paper|work|article|study|thesis|report)\b",
    re.IGNORECASE,
)
_POSSESSIVE: Final = re.compile(r"\b(our|my)\b", re.IGNORECASE)
_BAD_END: Final = frozenset(
    """a an the of for in on to from with by at as and or but nor that which who whose where when while than then is are was were be been being
    has have had can could may might will would shall should must do does not no its their his her our this these those such into onto over under
    between among via using based both either neither each every about against through during without within toward towards per i.e e.g eg ie
    so if whether because since although though also more most less very quite rather only how what why same new novel well-known different
    several many some any other another various all given called named including namely like upon after before e g i there it they we
    two three four five one first second
    """.split()
)
_BAD_CUT: Final = frozenset(
    "focus depend rely consist used relevant resistant capable able suitable related according relying close due prone compared similar aimed needed likely useful equal"
    " going trying helping containing following regarding concerning existing".split()
)
_BARE_GERUND: Final = re.compile(r"\b(?:for|by|of|in|on|from|to|with|without|through|via|when|while)\s+\w+ing$")
_OPEN_CLAUSE: Final = re.compile(
    r"\b(?:and|or)\s+\w+$|\b(?:when|if|because|although|whether|once|unless|until|while|where)(?:\s+\S+){0,6}$|\b(?:that|which|who|whose)(?:\s+\S+){0,2}$|\b(?:in|on|for|by|with|from|to|of|at|through) which(?:\s+\S+){0,4}$|\bin order$|\bboth\b(?!.*\band\b)|\beither\b(?!.*\bor\b)"
)
_STRONG: Final = re.compile(
    r"(?:,\s+(?=which|where|while|whereas|but|who|whose|so|thus|thereby|and|resulting|making|allowing|enabling|leading|using|based|i\.e)|;|:\s|\s[–—-]{1,2}\s|,\s(?=\w+ing\b))"
)
_WEAK: Final = re.compile(
    r"\s(?=(?:that|which|by|using|based on|for|with|from|in|on|to|via|through|and|as|without|where|when|while|under|between|across|within|over)\s)"
)
_STOPPER: Final = re.compile(
    rf"\"|“|”|''|``|:|;|\s(?:,\s)?and\s+{_ADVERB}(?:{_any([*_PLAIN, *_THAT, *_THIRD, 'posit', 'posits', 'sheds', 'then'])})\b|,\s+{_ADVERB}(?:{_any([*_PLAIN[:12], *_THAT, *list(_THIRD)[:12]])})\b|\.\s(?=(?:The|We|This|Our|It|In|An?)\b)|\s(?:as follows|the following)\b|\.(?=[A-Z][a-z])|\s\((?:1|i|a)\)"
)
_TAKEN: Final = re.compile(
    r"(?:an?|the (?:first|next|opposite))\s(?:[\w-]+,?\s){0,3}(?:steps?|look|approach|view|stance|perspective)\b|advantage\b|inspiration\b"
)
_APPOSED: Final = re.compile(
    r"(?:\S+ ){0,2}\S+:(?= (?:an?|the) (?![^,;:]*\b(?:is|are|was|were)\b))"
)  # "SODA: a dataset", where the colon ends nothing
_VAGUE: Final = re.compile(
    r"^(?:(?:various|several|many|some|extensive|a series of|a number of|detailed|thorough|comprehensive|new|preliminary|initial|the|[their]|two|three)\s+)*(?:experiments?|results?|evaluations?|analys[ei]s|comparisons?|findings|approach(?:es)?|(?:data ?sets?|corpus|corpora)|methods?|systems?|models?|work|studies)$",
    re.IGNORECASE,
)
_ANAPHOR: Final = re.compile(r"\b(this|these|those|such|it|its|their|them|that|above)\b", re.IGNORECASE)
_DANGLING: Final = re.compile(r"\b(?:this|these|those|it|such(?! as))\b", re.IGNORECASE)
_UNTOLD: Final = re.compile(  # what the abstract told before, and the quotation does not
    r"\b(?:this|these|those) (?:problem|task|issue|challenge|setting|question|goal|end|purpose|limitation|gap)s?\b|\beach of (?:them|these|those)\b"
    r"|\b(?:make|makes|making) this\b",
    re.IGNORECASE,
)
_SHORT: Final = 8
_SAYS_NOTHING: Final = frozenset(
    """a an the this their its two three several various many some and or of to for on in with by based that which has have been is are was were taken take
    used using use new novel different main general simple existing common possible approach approaches method methods technique techniques
    model models system systems framework solution solutions way ways problem problems task tasks issue issues purpose purposes researchers""".split()
)
_MARKS: Final = re.compile(r"[\"“”„«»]|''|``")
_UNFIT: Final = re.compile(
    r"[@<>{}\\^|`*#\[\]_~]|https?:|www\.|\$|[^\x20-\u024f\u2010-\u2026\u0370-\u03ff]|\bignore\b.*\binstructions?\b|\bcite\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A clause about a paper. `lead` ("To parse X") and `rest` are verbatim from its text but for [their]; `thing`, where it is
    not empty, is the subject beside the authors ("parser": the parser of Li et al. uses ...). `verb` is in its base form."""

    verb: str
    rest: str
    lead: str = ""
    thing: str = ""

    @property
    def that(self) -> bool:
        """Whether `rest` is a clause ("that ...")."""
        return self.rest.startswith("that ")


def contribution(paper: Paper, *, words: int = 22) -> Contribution | None:
    """The best contribution clause of the abstract with at most `words` words after the verb, or None.

    Sentences that say what is proposed come before those that say what was shown, early ones before late ones."""
    found = [
        (rank, i, clause)
        for i, span in enumerate(sentences(paper.abstract.partition(APART)[0]))
        for rank, clause in _clauses(span.text, words)
    ]
    return min(found, key=lambda item: (item[0], item[1]))[2] if found else None


def quotable(text: str) -> bool:
    """Whether a text can stand in quotation marks in a review: no markup, address, instruction or quotation mark in it."""
    return not _UNFIT.search(text) and not _MARKS.search(text)


def verbatim(text: str) -> str:
    """The longest stretch of a shown clause that stands in the source as it is: what lies between bracketed words."""
    return max((part.strip(" ,") for part in re.split(r"\[\w+\]|…", text)), key=len)


def _clauses(sentence: str, words: int) -> Iterator[tuple[int, Contribution]]:
    text = " ".join(sentence.split()).rstrip(".!?").strip()
    later = 0
    if match := _WE.match(text):
        later = int(bool(match["more"]))
        rank = (
            0
            if match["verb"] in _PLAIN[:12] and not match["rest"].startswith("that ")
            else 1
            if match["verb"] in _PLAIN
            else 3
        )
        yield from _made(rank + later, match["verb"], match["rest"], words, lead=match["lead"] or "")
    elif match := _THIS.match(text):
        verb = _THIRD[match["verb"]]
        yield from _made(0 if verb in _PLAIN else 3, verb, match["rest"], words, lead=match["lead"] or "")
    elif match := _PASSIVE.match(text):
        yield from _made(2, _PAST[match["verb"]], match["rest"], words, first=True)
    elif match := _THING.match(text):
        base = _base(match["verb"])
        if base:
            yield from _made(3, base, match["rest"], words, thing=match["thing"])
    if match := _WE_LATER.search(text):
        yield from _made(1, match["verb"] or match["also"], match["rest"] or match["thing"], words)


def _made(
    rank: int, verb: str, rest: str, words: int, *, lead: str = "", thing: str = "", first: bool = False
) -> Iterator[tuple[int, Contribution]]:
    rest = rest.removeprefix("instead ")
    if verb == "focus" and not rest.startswith("on "):
        return
    if verb in ("demonstrate", "report", "suggest") and rest.startswith(("that ", "how ")):
        rank = 3
    if verb in _THAT and verb not in _PLAIN and not rest.startswith(_AFTER.get(verb, "that ")):
        return
    if verb == "take" and not _TAKEN.match(rest):
        return
    if verb in ("aim", "seek"):
        if not rest.startswith("to "):
            return
        rank = 2
    elif rest.startswith("to "):
        rank += 1
    if first:
        rest = rest[0].lower() + rest[1:] if rest[1:2].islower() or rest.startswith("A ") else rest
        if not _is_object(rest):
            return
    elif not _is_complement(verb, rest, subject=thing):
        return
    cut = _cut(rest, words)
    if cut is not None and len(cut.split()) < _SHORT and _UNTOLD.search(rest):
        rank += 1  # what is left of it says little
    if cut is not None and (found := _DANGLING.search(cut)):
        if len(cut[: found.start()].split()) < 4:
            return
        rank += 2
    if cut is not None and cut.startswith("the ") and len(cut.split()) < 4:
        return
    if cut is None or _VAGUE.match(cut.replace("[their] ", "")) or _SAYS_NOTHING.issuperset(_words(cut)):
        return
    lead = lead.strip().rstrip(",")
    if (
        not lead
        or len(lead.split()) > 7
        or _ANAPHOR.search(lead)
        or _UNFIT.search(lead)
        or _FIRST_PERSON.search(lead)
        or _POSSESSIVE.search(lead)
        or len(lead.split()) + len(cut.split()) > words + 2
    ):
        lead = ""
    yield rank, Contribution({"analyze": "analyse"}.get(verb, verb), cut, lead, thing)


def _is_object(rest: str) -> bool:
    return bool(re.match(r"(?:an?|the|two|three|several|[a-z]+s)\s", rest)) and not re.search(
        r"\b(is|are|was|were|has|have)\b", rest
    )


def _is_complement(verb: str, rest: str, *, subject: str) -> bool:
    """Whether what follows can stand after the verb: no adverb, no infinitive after verbs that need an object."""
    head = rest.split()[0].casefold().rstrip(",")
    if head == "to":
        return verb in _TO and not subject and not re.match(r"to (?:our|my|the best)\b", rest)
    if head in (
        "and",
        "or",
        "as",
        "by",
        "from",
        "at",
        "it",
        "them",
        "this",
        "these",
        "those",
        "such",
        "both",
        "there",
        "below",
        "here",
        "in",
    ):
        return False
    if head == "on":
        return verb in ("focus", "report")
    if head == "that":
        return verb in _THAT
    if head in ("for", "with", "of", "against"):
        return False
    if verb == "use" and not subject and " to " not in rest:
        return False
    return not (verb == "train" and len(rest.split()) < 3)


def _cut(rest: str, words: int) -> str | None:
    """The longest well-ended beginning of at most `words` words: the whole, else up to a clause, else up to a phrase."""
    named = _APPOSED.match(rest)
    begin = named.end() if named else 0
    stops = (_FIRST_PERSON.search(rest), _UNFIT.search(rest), _UNTOLD.search(rest), _STOPPER.search(rest, begin))
    stop = min((match.start() for match in stops if match), default=len(rest))
    whole = stop == len(rest)
    if whole and len(rest.split()) <= words and _well_ended(rest, cut=False):
        return _impersonal(rest)
    clause = rest.startswith(("that ", "how ", "whether "))
    for pattern, least in ((_STRONG, 5), (_WEAK, 5)):
        if clause and pattern is _WEAK:
            break
        ends = [match.start() for match in pattern.finditer(rest) if match.start() <= stop]
        if not whole and _STOPPER.match(rest[stop:]):
            ends.append(stop)
        for end in sorted(set(ends), reverse=True):
            part = rest[:end].rstrip(" ,;:–—-")
            if least <= len(part.split()) <= words and _well_ended(part):
                return _impersonal(part)
    return None


def _well_ended(text: str, *, cut: bool = True) -> bool:
    last = text.split()[-1].casefold().strip(",;:")
    tail = re.split(r"[,;]\s", text)[-1].split()
    dangling = len(tail) < 3 and "," in text and " and " not in text[-40:]
    if cut and (last in _BAD_CUT or last.endswith("ed") or _OPEN_CLAUSE.search(text) or _BARE_GERUND.search(text)):
        return False
    return (
        last not in _BAD_END
        and not last.endswith(("-", "'"))
        and not dangling
        and text.count("(") == text.count(")")
        and len(text) > 8
    )


def _impersonal(text: str) -> str | None:
    """First-person possessives in brackets; None where a first person is left."""
    text = _POSSESSIVE.sub("[their]", text)
    return None if _FIRST_PERSON.search(text) or _UNFIT.search(text.replace("[their]", "")) else text


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text.casefold())


def _base(third: str) -> str:
    known = {"uses": "use", "outperforms": "outperform", "achieves": "achieve", "combines": "combine", "learns": "learn", "relies": "rely", "exploits": "exploit",
             "consists": "consist", "improves": "improve", "extends": "extend", "allows": "allow", "contains": "contain", "takes": "take", "leverages": "leverage",
             "employs": "employ", "integrates": "integrate", "models": "model", "generates": "generate", "supports": "support", "builds": "build"}  # fmt: skip
    return known.get(third, _THIRD.get(third, ""))
