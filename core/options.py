"""Settings of one method's own, beside litrag's: NAME=VALUE pairs of the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

from litrag.core.errors import BadInput

__all__ = ["Option", "own_settings"]

Option: TypeAlias = str | int | float | bool


def own_settings(texts: Sequence[str]) -> dict[str, Option]:
    """NAME=VALUE pairs, numbers and true/false as such. Raises BadInput."""
    found: dict[str, Option] = {}
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
