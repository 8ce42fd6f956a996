"""What a reader of the page may ask for, from its form to the request of a review. No path and no address of theirs is ever opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, get_args

from litrag.core.errors import BadInput, UnknownName
from litrag.core.settings import Settings
from litrag.exports.formats import FORMATS
from litrag.pipelines.api import make_request
from litrag.pipelines.reading import parse_abstract
from litrag.pipelines.state import PAUSES, ReviewRequest
from litrag.retrievers.sources import SOURCES
from litrag.serving.asked import LONGEST, LONGEST_TITLE, added_libraries, lowered

__all__ = ["CHOICES", "Form", "blank", "request_of"]

_NUMBERS: Final[Mapping[str, type]] = {
    "papers": int,
    "words": int,
    "sections": int,
    "snowball": int,
    "seed": int,
    "max_searches": int,
    "max_calls": int,
    "max_tokens": int,
    "max_cost": float,
    "max_seconds": float,
}
CHOICES: Final[Mapping[str, Sequence[str]]] = {
    "style": ("author-year", "numeric"),  # not a file of the visitor's
    **{name: get_args(Settings.model_fields[name].annotation) for name in ("unsupported", "writer", "agent")},
}


@dataclass(frozen=True, slots=True)
class Form:
    """The fields as they were sent, to be shown again. `many` are those that may come several times."""

    values: Mapping[str, str]
    many: Mapping[str, tuple[str, ...]]

    def value(self, name: str, default: str = "") -> str:
        """A field."""
        return self.values.get(name, default)

    def chosen(self, name: str, value: str) -> bool:
        """Whether a box was checked."""
        return value in self.many.get(name, ())


def blank(settings: Settings) -> Form:
    """A form with its boxes checked as the settings in force have them; a review pauses where nothing else is set."""
    full_text = ("yes",) if settings.full_text else ()
    return Form({}, {"source": settings.sources, "pause": settings.pause or tuple(PAUSES), "full_text": full_text})


def request_of(form: Form, settings: Settings) -> ReviewRequest:
    """The request of a form under the settings in force; of boxes what is checked holds, and nothing else: a source that was unchecked is not asked.
    Raises BadInput, UnknownName, which name the field."""
    text = form.value("abstract")
    if len(text) > LONGEST:
        raise BadInput(f"the abstract has {len(text):,} characters; at most {LONGEST:,} are taken")
    title = " ".join(form.value("title").split())
    if len(title) > LONGEST_TITLE:
        raise BadInput(f"the title has {len(title):,} characters; at most {LONGEST_TITLE:,} are taken")
    abstract = parse_abstract(text, name="abstract", title=title or None)
    options: dict[str, Any] = {name: _number(form, name) for name in _NUMBERS}
    options |= {name: _choice(form, name) for name in CHOICES}
    options["sources"] = _named("source", form.many.get("source", ()), SOURCES)
    options["formats"] = _named("format", form.many.get("format", ()), FORMATS) or None
    options["pause"] = _named("pause", form.many.get("pause", ()), PAUSES)
    options["language"] = form.value("language").strip()[:40] or None
    options["full_text"] = bool(form.value("full_text"))
    return make_request(
        abstract,
        lowered(settings, options),
        libraries=added_libraries(form.many.get("library", ())),
        before=_date(form.value("before").strip()),
    )


def _named(what: str, names: Sequence[str], known: Mapping[str, Any] | Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise UnknownName(what, name[:80], known)
    return tuple(dict.fromkeys(names))


def _number(form: Form, name: str) -> int | float | None:
    text = form.value(name).strip()
    if not text:
        return None
    kind = _NUMBERS[name]
    try:
        number: int | float = kind(text)
    except ValueError:
        raise BadInput(f"{name}: {text[:20]!r} is no {'whole ' if kind is int else ''}number") from None
    return number


def _choice(form: Form, name: str) -> str | None:
    value = form.value(name)
    return _named(name, [value], CHOICES[name])[0] if value else None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInput(f"before: {text[:20]!r} is no day; write it as 2024-01-31") from None
