"""What an extractive review says around its quotations: openings of groups, what they share with the present work, and lack, works by their titles alone."""

from __future__ import annotations

from typing import Final

__all__ = ["CONTRAST", "LAST_OPENING", "OPENINGS", "PASSIVE", "SHARED", "SHARED_BY_SOME", "SYNONYMS", "TITLED"]

OPENINGS: Final = (
    "One line of work is concerned with {topics}.",
    "A number of papers turn to {topics}.",
    "Several studies deal with {topics}.",
    "Another strand of research is about {topics}.",
    "Work on {topics} forms a further group.",
    "Other authors have taken up {topics}.",
    "There is also a body of work on {topics}.",
    "Next come studies of {topics}.",
    "Further papers have {topics} in common.",
    "Also related is research on {topics}.",
)
LAST_OPENING: Final = "Closest to the present work is research on {topics}."
SHARED: Final = (
    "The present work shares with these papers its concern with {shared}.",
    "Like them, the present work deals with {shared}.",
    "What connects these papers with the present work is {shared}.",
    "The present work, too, speaks of {shared}.",
    "The present work takes up {shared} as well.",
    "Common ground with the present work is {shared}.",
)
SHARED_BY_SOME: Final = (
    "Some of these papers share with the present work its concern with {shared}.",
    "Like some of them, the present work deals with {shared}.",
    "What connects several of these papers with the present work is {shared}.",
    "Several of them speak of {shared}, as the present work does.",
    "With some of this group the present work has {shared} in common.",
    "The present work returns to {shared}, of which some of these papers speak.",
)
CONTRAST: Final = (
    "None of these abstracts mentions {missing}, which the present work takes up.",
    "Unlike these abstracts, that of the present work speaks of {missing}.",
    "The abstracts of this group do not mention {missing}, a subject of the present work.",
    "Where the present work speaks of {missing}, these abstracts do not.",
    "Of {missing}, a subject of the present work, these abstracts say nothing.",
    "A subject of the present work that these abstracts leave out is {missing}.",
    "No abstract of this group speaks of {missing}, as the present work does.",
    "Not mentioned in these abstracts, but in that of the present work: {missing}.",
    "The present work adds {missing}, which these abstracts do not mention.",
)
TITLED: Final = (
    "A further study is “{title}” [@{key}].",
    "Also relevant here is “{title}” [@{key}].",
    "To this group belongs “{title}” [@{key}].",
    "Related in subject is “{title}” [@{key}].",
    "“{title}” [@{key}] is on the same subject.",
    "“{title}” [@{key}] belongs to this group, too.",
    "Of the same kind is “{title}” [@{key}].",
    "Another title is “{title}” [@{key}].",
    "One more work is “{title}” [@{key}].",
    "Compare also “{title}” [@{key}].",
    "Not far from this is “{title}” [@{key}].",
    "The subject returns in “{title}” [@{key}].",
)
SYNONYMS: Final = {
    "propose": ("propose", "put forward"),
    "introduce": ("introduce", "present"),
    "present": ("present", "describe"),
    "describe": ("describe", "present"),
    "investigate": ("investigate", "look into"),
    "study": ("study", "examine"),
    "explore": ("explore", "look into"),
}
PASSIVE: Final = {
    "propose": "proposed", "put forward": "put forward", "introduce": "introduced", "present": "presented", "describe": "described",
    "develop": "developed", "design": "designed",
}  # fmt: skip
