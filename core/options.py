"""Settings of a method as a user writes them: NAME=VALUE, checked against what the method takes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, get_type_hints

from pydantic import TypeAdapter, ValidationError

from litrag.core.errors import BadInput

__all__ = ["Plain", "checked", "named_values", "settings_of"]

Plain: TypeAlias = str | int | float | bool


def named_values(texts: Sequence[str]) -> dict[str, Plain]:
    """NAME=VALUE pairs, numbers and true/false as such. Raises BadInput."""
    found: dict[str, Plain] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput(f"--set {text!r}: write NAME=VALUE")
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        found[name] = read if isinstance(read, str | int | float | bool) else value
    return found


def settings_of(made: Callable[..., Any]) -> dict[str, Any]:
    """Name -> default of the settings that a method takes: its parameters with a plain default (a number, a word, yes or no)."""
    parameters = inspect.signature(made).parameters.values()
    return {p.name: p.default for p in parameters if isinstance(p.default, str | int | float)}


def checked(what: str, made: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the method's own types. Raises BadInput for a name that it lacks or a value of another kind, naming those there are."""
    known, types = settings_of(made), get_type_hints(made)
    listed = ", ".join(f"{name} ({default!r})" for name, default in known.items()) or "none"
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise BadInput(f"{what} has no setting {name!r}; there is: {listed}")
        try:
            found[name] = TypeAdapter(types[name]).validate_python(value)
        except ValidationError as error:
            raise BadInput(f"{what}, setting {name}: {error.errors()[0]['msg']}; its settings are: {listed}") from error
    return found
