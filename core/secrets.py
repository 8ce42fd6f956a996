"""Keys that must stand in no message: a provider may say again what it was sent."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

__all__ = ["without_secrets"]

_NAMED: Final = re.compile(r"(?:_API_KEY|_TOKEN|_SECRET|_PASSWORD)$", re.IGNORECASE)
_LEAST: Final = 6  # characters: what is shorter ("none") stands in any text


def without_secrets(text: str, variables: Mapping[str, str] = os.environ) -> str:
    """The text with the value of each variable that is called a key, a token, a secret or a password replaced by the variable's name."""
    for name, value in variables.items():
        if _NAMED.search(name) and len(value) >= _LEAST:
            text = text.replace(value, f"${name}")
    return text
