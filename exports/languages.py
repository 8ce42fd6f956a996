"""The tag of a language (BCP 47), which a screen reader and a word processor ask for, from the name by which a setting calls it."""

from __future__ import annotations

import locale
import re
from typing import Final

__all__ = ["language_tag"]

_TAG: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*", re.IGNORECASE)
# what the standard library's list of locales does not know by their English names
_OTHERS: Final = {
    "chinese": "zh",
    "hindi": "hi",
    "indonesian": "id",
    "latvian": "lv",
    "persian": "fa",
    "serbian": "sr",
    "ukrainian": "uk",
    "vietnamese": "vi",
}


def language_tag(name: str) -> str:
    """ "de" of "German", "pt-BR" of itself; "" for a name that is not known, for no tag is better than a false one."""
    plain = name.strip()
    known = locale.locale_alias.get(plain.casefold(), "") if plain.isalpha() and len(plain) > 3 else ""
    if known:
        return known.partition("_")[0]
    return _OTHERS.get(plain.casefold()) or (
        plain if _TAG.fullmatch(plain) and len(plain.partition("-")[0]) < 4 else ""
    )
