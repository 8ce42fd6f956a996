"""Two small CSL styles of our own: by author and date, and by number. What a published style does beside does not
matter to the tests."""

from __future__ import annotations

from pathlib import Path

_AUTHOR = (
    '<names variable="author"><name and="symbol" initialize-with="." et-al-min="3" et-al-use-first="1" {form}/></names>'
)
_YEAR = '<date variable="issued" form="text" date-parts="year"/>'
_STYLE = """<?xml version="1.0" encoding="utf-8"?>
<style xmlns="http://purl.org/net/xbiblio/csl" class="{cls}" version="1.0"
 demote-non-dropping-particle="never" default-locale="en-US">
 <info><title>t</title><id>t</id><updated>2020-01-01T00:00:00+00:00</updated>{category}{link}</info>
 <citation>{sort}<layout prefix="{open}" suffix="{close}" delimiter="; ">{cite}</layout></citation>
 <bibliography {align}>{sort}<layout suffix=".">{entry}</layout></bibliography>
</style>
"""
_ENTRY = (
    _AUTHOR.format(form='name-as-sort-order="all"')
    + f'<text value=" "/>{_YEAR}<text value=". "/>'
    + '<text variable="title" quotes="true" text-case="sentence" suffix=". "/>'
    + '<text variable="container-title" font-style="italic"/>'
)


def author_date(folder: Path, **changes: str) -> str:
    """Writes it; returns its path."""
    facts = {
        "cls": "in-text",
        "category": '<category citation-format="author-date"/>',
        "link": "",
        "sort": '<sort><key variable="author"/><key variable="issued"/><key variable="title"/></sort>',
        "open": "(",
        "close": ")",
        "cite": f'{_AUTHOR.format(form="form=" + chr(34) + "short" + chr(34))}<text value=", "/>{_YEAR}',
        "align": "",
        "entry": _ENTRY,
    }
    return _kept(folder / "author-date.csl", facts | changes)


def numbered(folder: Path) -> str:
    """Writes it; returns its path."""
    facts = {
        "cls": "in-text",
        "category": '<category citation-format="numeric"/>',
        "link": "",
        "sort": "",
        "open": "",
        "close": "",
        "cite": '<text variable="citation-number" prefix="[" suffix="]"/>',
        "align": 'second-field-align="flush"',
        "entry": f'<text variable="citation-number" prefix="[" suffix="]"/>{_ENTRY}',
    }
    return _kept(folder / "numbered.csl", facts)


def _kept(path: Path, facts: dict[str, str]) -> str:
    path.write_text(_STYLE.format(**facts), encoding="utf-8")
    return str(path)
