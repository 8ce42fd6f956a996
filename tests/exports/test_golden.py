"""Each writer's file of one made-up review, letter for letter. To accept a change, delete the golden file and run
the test twice."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import get_args

import pytest
from fakes.reviews import made_up

from litrag.core.errors import UnknownName
from litrag.core.settings import Format
from litrag.exports.formats import FORMATS, files_of, written

GOLDEN = Path(__file__).parent / "golden"


CASES = [
    *(("author-year", name) for name in files_of(FORMATS)),
    *(("numeric", name) for name in files_of(["md", "tex", "docx", "html"]) if name != "references.bib"),
]


@pytest.mark.parametrize(("style", "name"), CASES)
def test_every_file_is_as_it_was_agreed(style: str, name: str) -> None:
    """A change of a writer shows here as a change of its file, and nowhere by accident."""
    made = written(made_up(style), FORMATS)[name]
    if name.endswith(".docx"):  # zlib's bytes differ between its versions
        made = zipfile.ZipFile(io.BytesIO(made)).read("word/document.xml")
        name += ".xml"
    golden = GOLDEN / style / name
    if not golden.exists():
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(made)
        pytest.fail(f"{golden.name} was written: read it, then run the test again")
    assert made.decode() == golden.read_bytes().decode()


def test_the_settings_know_the_formats_of_the_table() -> None:
    assert set(get_args(Format)) == set(FORMATS)


def test_an_unknown_format_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownName, match="no format named 'pdf'; there is: bib, csl, docx"):
        files_of(["pdf"])


def test_the_same_review_gives_the_same_bytes() -> None:
    assert written(made_up(), FORMATS) == written(made_up(), FORMATS)
