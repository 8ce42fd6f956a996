"""Full texts of papers, where they are open: from the libraries that hold them, else the PDF of arXiv or of the ACL Anthology."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from litrag.core.errors import BadInput
from litrag.core.types import Paper, Passage
from litrag.retrievers.normal_forms import anthology_id_in, arxiv_id_in
from litrag.retrievers.sources.full_texts import of_pdf
from litrag.retrievers.sources.pdf import PdfFile, PdfReading
from litrag.retrievers.sources.web import Host, WebRequest

if TYPE_CHECKING:
    from litrag.core.settings import Settings
    from litrag.retrievers.sources.library import Library
    from litrag.retrievers.sources.web import Web

__all__ = ["OpenTexts"]

_MOST: Final = 60_000_000  # bytes
_ARXIV: Final = "arxiv-pdf"
_ANTHOLOGY: Final = "acl-pdf"
# the key of a setting -> who has PDFs, and where
_HOSTS: Final[Mapping[str, tuple[Host, str]]] = {
    _ARXIV: (Host("arXiv's PDFs", interval=3.1, most_bytes=_MOST), "https://arxiv.org/pdf/{}"),
    _ANTHOLOGY: (Host("the ACL Anthology's PDFs", interval=1.0, most_bytes=_MOST), "https://aclanthology.org/{}.pdf"),
}


class OpenTexts:
    """Finds the passages of a paper's full text. Use as a context manager: PDFs are read by a process of their own."""

    def __init__(self, libraries: Sequence[Library], web: Web | None, settings: Settings) -> None:
        self._libraries, self._web = libraries, web
        self._settings = settings
        self._pdfs = PdfReading()

    def __enter__(self) -> OpenTexts:
        self._pdfs.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._pdfs.__exit__(None, None, None)

    async def passages(self, paper: Paper, warn: Callable[[str], None]) -> tuple[Passage, ...]:
        """The passages, about 150 to 200 words each, with their pages; none where the text is not open. Raises SourceFault."""
        for library in self._libraries:
            for name in _names(paper) if library.manifest.passages else ():
                if found := await asyncio.to_thread(library.table.passages_of, name):
                    return tuple(replace(passage, document_id=paper.id) for passage in found)
        where, number = _open(paper)
        if self._web is None or not number:
            return ()
        host, form = _HOSTS[where]
        base, wanted = self._settings.source_urls.get(where), form.format(number)
        url = f"{base.rstrip('/')}/{wanted.rpartition('/')[2]}" if base else wanted
        host = replace(host, interval=self._settings.source_intervals.get(where, host.interval))
        body = await self._web.fetch(WebRequest(url), host, _pdf, seconds=self._settings.source_seconds)
        try:
            record = of_pdf(await asyncio.to_thread(self._read, body, number, warn))
        except BadInput as error:
            warn(str(error))
            return ()
        return tuple(replace(passage, document_id=paper.id) for passage in record.passages)

    def _read(self, body: bytes, number: str, warn: Callable[[str], None]) -> PdfFile:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{number.replace('/', '-')}.pdf"
            path.write_bytes(body)
            return self._pdfs.read(path, warn)


def _open(paper: Paper) -> tuple[str, str]:
    """Who has the PDF, and under which id; ("", "") where nobody known to be open has it."""
    if number := paper.arxiv_id or arxiv_id_in(paper.doi, paper.url):
        return _ARXIV, number
    number = anthology_id_in(paper.url, paper.doi)
    return (_ANTHOLOGY, number) if number else ("", "")


def _names(paper: Paper) -> tuple[str, ...]:
    """What a library may call the paper: records of several sources were merged under one id."""
    return tuple(
        dict.fromkeys(filter(None, (paper.id, *paper.aliases, paper.doi, paper.arxiv_id and f"arxiv:{paper.arxiv_id}")))
    )


def _pdf(body: bytes) -> bytes:
    if not body[:1024].lstrip().startswith(b"%PDF"):
        raise ValueError("no PDF")
    return body
