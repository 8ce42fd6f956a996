"""review.docx by python-docx: headings, paragraphs, citations that jump to their reference, doubtful sentences in red.

The same review gives the same bytes: no clock in the properties, none in the archive."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from litrag.core.errors import MissingExtra
from litrag.exports.document import Exported
from litrag.exports.facts import clean
from litrag.exports.languages import language_tag
from litrag.exports.styles import Run

if TYPE_CHECKING:
    from docx.document import Document as Word
    from docx.text.paragraph import Paragraph

__all__ = ["check_docx", "review_docx"]

_BLUE: Final = "1F4E9E"
_RED: Final = "B00020"
_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST: Final = (1980, 1, 1, 0, 0, 0)  # the first day of a ZIP archive


def check_docx() -> None:
    """Raises MissingExtra."""
    if importlib.util.find_spec("docx") is None:
        raise MissingExtra("python-docx", "export")


def review_docx(document: Exported) -> bytes:
    """The file. Raises MissingExtra, BadInput (the style)."""
    check_docx()
    import docx
    from docx.shared import Cm, Pt

    word = docx.Document()
    _properties(word, document.title)
    _spoken(word, language_tag(document.language))
    references = document.look.references
    places = {entry.key: f"ref_{n}" for n, entry in enumerate(references, start=1)}  # names in Word take no hyphen
    word.add_heading(clean(document.title), 0)
    for line in document.notes:
        note = word.add_paragraph()
        note.add_run(clean(line)).italic = True
        note.paragraph_format.left_indent = Cm(1)
        note.paragraph_format.space_after = Pt(2 if line != document.notes[-1] else 14)
    for section in document.sections:
        if section.heading:
            word.add_heading(clean(section.heading), 1)
        for paragraph in section.paragraphs:
            added = word.add_paragraph()
            for n, sentence in enumerate(paragraph):
                _add(added, ((Run(" "),) if n else ()) + document.runs(sentence), places)
    word.add_heading("References", 1)
    for n, entry in enumerate(references):
        added = word.add_paragraph()
        added.paragraph_format.left_indent, added.paragraph_format.first_line_indent = Cm(1), Cm(-1)
        _bookmark(added, "Start", n, places[entry.key])
        _add(added, entry.runs, places)
        _bookmark(added, "End", n)
    return _steady(word)


def _spoken(word: Word, tag: str) -> None:
    """The language that Word checks the text by; that of the template, English, where it is not known."""
    from docx.oxml.ns import qn

    for element in word.styles.element.iter(qn("w:lang")) if tag and tag != "en" else ():
        element.set(qn("w:val"), tag)


def _add(paragraph: Paragraph, runs: Iterable[Run], places: dict[str, str]) -> None:
    from docx.shared import RGBColor

    for run in runs:
        added = paragraph.add_run(clean(run.text))
        added.italic, added.bold = run.italic or None, run.bold or run.marked or None
        font = added.font
        font.small_caps, font.superscript, font.subscript = (
            run.capitals or None,
            run.raised or None,
            run.lowered or None,
        )
        if run.marked:
            font.color.rgb = RGBColor.from_string(_RED)
        if run.key or run.url:
            font.color.rgb = RGBColor.from_string(_BLUE)
            paragraph._p.append(_hyperlink(paragraph, run, places, added._r))


def _hyperlink(paragraph: Paragraph, run: Run, places: dict[str, str], element: Any) -> Any:
    """Around the element of a run: to the bookmark of the work it cites, or to an address."""
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    hyperlink: Any = OxmlElement("w:hyperlink")
    if run.key:
        hyperlink.set(qn("w:anchor"), places[run.key])
    else:
        hyperlink.set(qn("r:id"), paragraph.part.relate_to(run.url, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    hyperlink.append(element)
    return hyperlink


def _bookmark(paragraph: Paragraph, end: str, number: int, name: str = "") -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    mark: Any = OxmlElement(f"w:bookmark{end}")
    mark.set(qn("w:id"), str(number))
    if name:
        mark.set(qn("w:name"), name)
    paragraph._p.append(mark)


def _properties(word: Word, title: str) -> None:
    facts = word.core_properties
    facts.title, facts.author, facts.last_modified_by, facts.comments = clean(title), "litrag", "litrag", ""
    facts.created = facts.modified = _DAY
    facts.revision = 1


def _steady(word: Word) -> bytes:
    """The archive anew, each member with the same time."""
    made, steady = io.BytesIO(), io.BytesIO()
    word.save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(steady, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            member = zipfile.ZipInfo(name, _FIRST)
            member.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(member, old.read(name))
    return steady.getvalue()
