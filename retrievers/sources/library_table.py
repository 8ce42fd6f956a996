"""The contents of a library: every record of every file in SQLite, and which of them count.

    files      one row for each file that was read to its end
    records    one row a record, in the order of reading; `place`, for those that count, is their paper's place in the index: of records
               with one id that with the longest title and abstract. `text_place`: the same for the longest full text of an id
    texts      the full text of a record            passages   where its passages lie, and their words

Records that do not count are kept, so that a file which did not change need not be read again, whatever happens to the others."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litrag.core.database import Database
from litrag.core.errors import BadInput, CannotWrite
from litrag.core.types import Document, Paper, Passage
from litrag.retrievers.rows import Row
from litrag.retrievers.sources.full_texts import Record
from litrag.retrievers.sources.library_files import SourceFile
from litrag.retrievers.sources.reading import READING

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["PaperTable"]

_NAME: Final = "papers.sqlite"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS files (number INTEGER PRIMARY KEY, path TEXT, sha256 TEXT, reading INTEGER, label TEXT, body TEXT);
CREATE TABLE IF NOT EXISTS records (position INTEGER PRIMARY KEY, file INTEGER, id TEXT, body TEXT, size INTEGER, text_size INTEGER,
    text_hash TEXT, place INTEGER, text_place INTEGER);
CREATE TABLE IF NOT EXISTS texts (record INTEGER PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS passages (record INTEGER, n INTEGER, first INTEGER, last INTEGER, page INTEGER, body TEXT,
    PRIMARY KEY (record, n)) WITHOUT ROWID;
"""
_SETTLE: Final = """
WITH ranked AS (
    SELECT position, min(position) OVER (PARTITION BY id) AS first,
        row_number() OVER (PARTITION BY id ORDER BY size DESC, position) AS nth,
        row_number() OVER (PARTITION BY id ORDER BY text_size DESC, position) AS nth_text
    FROM records)
UPDATE records SET place = CASE nth WHEN 1 THEN first END, text_place = CASE WHEN nth_text = 1 AND text_size > 0 THEN first END
FROM ranked WHERE ranked.position = records.position AND (nth = 1 OR nth_text = 1)
"""
_INDEXES: Final = (
    "CREATE UNIQUE INDEX by_place ON records (place) WHERE place IS NOT NULL",
    "CREATE UNIQUE INDEX by_id ON records (id) WHERE place IS NOT NULL",
    "CREATE UNIQUE INDEX by_text ON records (text_place) WHERE text_place IS NOT NULL",
)
_MOST_FORMER: Final = 8  # SQLite attaches ten


class PaperTable:
    """Records, papers and passages of one state of a library. It is filled (`take` or `add` and `close_file` for each file in turn),
    settled once, and then only read. Raises CannotWrite, BadInput as `Database` does."""

    def __init__(self, folder: Path) -> None:
        self._db = Database(folder / _NAME, _SCHEMA)
        self._former: list[str] = []
        self._next = self._count("SELECT coalesce(max(position), 0) + 1 FROM records")

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether a folder holds a table."""
        return (folder / _NAME).is_file()

    def attach(self, former: Iterable[Path]) -> None:
        """Folders of contents from which `take` may take; those that cannot be read are none."""
        for folder in former:
            name = f"former{len(self._former)}"
            if len(self._former) == _MOST_FORMER or not self.is_in(folder):
                continue
            try:
                self._db.write(f"ATTACH DATABASE ? AS {name}", (str(folder / _NAME),))
            except (CannotWrite, BadInput):
                continue
            self._former.append(name)

    def take(self, file: SourceFile, number: int) -> SourceFile | None:
        """Copies what former contents hold of the very same file; returns the file as it was read then, None where it was not."""
        for former in self._former:
            try:
                with self._db.transaction():
                    found = self._taken(former, file, number)
            except (CannotWrite, BadInput):  # damaged: the file itself is better
                continue
            if found is not None:
                return found
        return None

    def _taken(self, former: str, file: SourceFile, number: int) -> SourceFile | None:
        sql = f"SELECT number, body FROM {former}.files WHERE path = ? AND sha256 = ? AND reading = ? ORDER BY number DESC LIMIT 1"
        rows = self._db.rows(sql, (file.path, file.sha256, READING))
        if not rows or not file.sha256:
            return None
        old, body = rows[0]
        then = SourceFile.model_validate_json(body)
        sql = f"SELECT min(position), max(position), count(*) FROM {former}.records WHERE file = ?"
        ((first, last, count),) = self._db.rows(sql, (old,))
        if count != then.papers:
            return None
        if count:
            shift = self._next - first
            self._db.write(
                "INSERT INTO records SELECT position + ?, ?, id, body, size, text_size, text_hash, NULL, NULL"
                f" FROM {former}.records WHERE file = ?",
                (shift, number, old),
            )
            span = (shift, first, last)
            sql = "INSERT INTO {0} SELECT record + ?, {1} FROM {2}.{0} WHERE record BETWEEN ? AND ?"
            self._db.write(sql.format("texts", "body", former), span)
            self._db.write(sql.format("passages", "n, first, last, page, body", former), span)
        taken = then.model_copy(update={"label": file.label, "size": file.size, "mtime": file.mtime})
        self.close_file(taken, number)
        self._next += count
        return taken

    def add(self, records: Sequence[Record], number: int) -> None:
        """Stores records of a file, in one transaction."""
        places = range(self._next, self._next + len(records))
        with self._db.transaction():
            self._db.write_many(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                ((place, number, *_columns(record)) for place, record in zip(places, records, strict=True)),
            )
            texts = [(place, record) for place, record in zip(places, records, strict=True) if record.text]
            self._db.write_many("INSERT INTO texts VALUES (?, ?)", ((place, record.text) for place, record in texts))
            self._db.write_many(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (place, n, passage.start, passage.end, passage.page, passage.text)
                    for place, record in texts
                    for n, passage in enumerate(record.passages, start=1)
                ),
            )
        self._next += len(records)

    def drop(self, number: int) -> None:
        """Forgets the records of a file that turned out to be unreadable half-way."""
        with self._db.transaction():
            for name in ("texts", "passages"):
                self._db.write(
                    f"DELETE FROM {name} WHERE record IN (SELECT position FROM records WHERE file = ?)", (number,)
                )
            self._db.write("DELETE FROM records WHERE file = ?", (number,))

    def close_file(self, file: SourceFile, number: int) -> None:
        """Says that all of a file is here: from now on it can be taken, also from contents that were never settled."""
        row = (number, file.path, file.sha256, READING, file.label, file.model_dump_json())
        self._db.write("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", row)

    def settle(self) -> int:
        """Decides which records count; returns how many do not. What was attached is let go."""
        self._db.write(_SETTLE)
        for sql in _INDEXES:
            self._db.write(sql)
        for name in self._former:
            self._db.write(f"DETACH DATABASE {name}")
        self._former.clear()
        return self._count("SELECT count(*) FROM records WHERE place IS NULL")

    def papers(self, ids: Sequence[str]) -> tuple[Paper, ...]:
        """The papers of ids, in their order. Raises KeyError."""
        found = self._papers(ids)
        return tuple(found[name] for name in ids)

    def known(self, ids: Sequence[str]) -> tuple[Paper, ...]:
        """The papers of those ids that there are, in their order."""
        found = self._papers(ids)
        return tuple(found[name] for name in dict.fromkeys(ids) if name in found)

    def documents(self, rows: Sequence[str]) -> tuple[Document, ...]:
        """The paper of each row as a document; that of a passage names the row in its metadata. Raises KeyError."""
        owners = [name.rpartition("#p")[0] for name in rows]
        found = self._papers([*rows, *filter(None, owners)])
        return tuple(
            found[row].to_document() if row in found else _named(found[owner].to_document(), row)
            for row, owner in zip(rows, owners, strict=True)
        )

    def passage(self, row: str) -> Passage:
        """The passage of a row. Raises KeyError."""
        owner, _, n = row.rpartition("#p")
        found = self._db.rows(
            "SELECT p.first, p.last, p.page, p.body FROM records AS paper JOIN records AS text ON text.text_place = paper.place"
            " JOIN passages AS p ON p.record = text.position WHERE paper.id = ? AND paper.place IS NOT NULL AND p.n = ?",
            (owner, n),
        )
        if not found:
            raise KeyError(row)
        start, end, page, text = found[0]
        return Passage(row, owner, text, start, end, page)

    def passages_of(self, paper_id: str) -> tuple[Passage, ...]:
        """The passages of a paper, in order; none where the library holds no full text of it."""
        found = self._db.rows(
            "SELECT p.n, p.first, p.last, p.page, p.body FROM records AS paper JOIN records AS text ON text.text_place = paper.place"
            " JOIN passages AS p ON p.record = text.position WHERE paper.id = ? AND paper.place IS NOT NULL ORDER BY p.n",
            (paper_id,),
        )
        return tuple(
            Passage(f"{paper_id}#p{n}", paper_id, text, start, end, page) for n, start, end, page, text in found
        )

    def full_text(self, paper_id: str) -> str:
        """The full text that the passages' offsets are of; "" where the library holds none."""
        found = self._db.rows(
            "SELECT t.body FROM records AS paper JOIN records AS text ON text.text_place = paper.place"
            " JOIN texts AS t ON t.record = text.position WHERE paper.id = ? AND paper.place IS NOT NULL",
            (paper_id,),
        )
        return str(found[0][0]) if found else ""

    def rows(self) -> Iterator[Row]:
        """All rows in the order of the index: those of the papers, then those of passages, paper by paper."""
        sql = (
            "SELECT r.place, r.body, f.label FROM records AS r JOIN files AS f ON f.number = r.file WHERE r.place > ?"
            " ORDER BY r.place LIMIT 2000"
        )
        for _, body, label in self._all(sql):
            yield Row.of(_read(body), source=label)
        sql = (
            "SELECT t.text_place, paper.body, f.label, t.position FROM records AS t JOIN records AS paper ON paper.place = t.text_place"
            " JOIN files AS f ON f.number = paper.file WHERE t.text_place > ? ORDER BY t.text_place LIMIT 200"
        )
        for _, body, label, record in self._all(sql):
            row = Row.of(_read(body), source=label)
            for n, text in self._db.rows("SELECT n, body FROM passages WHERE record = ? ORDER BY n", (record,)):
                yield replace(row, id=f"{row.paper}#p{n}", text=text)

    def fingerprint(self) -> str:
        """SHA-256 over all papers in order, the files they are of, and their full texts."""
        found = hashlib.sha256()
        sql = (
            "SELECT r.place, r.body, f.label, t.text_hash FROM records AS r JOIN files AS f ON f.number = r.file"
            " LEFT JOIN records AS t ON t.text_place = r.place WHERE r.place > ? ORDER BY r.place LIMIT 2000"
        )
        for _, body, label, text in self._all(sql):
            found.update(json.dumps([body, label, text or ""]).encode() + b"\n")
        return found.hexdigest()

    @property
    def passages(self) -> int:
        """How many passages there are."""
        return self._count(
            "SELECT count(*) FROM records AS t JOIN passages AS p ON p.record = t.position WHERE t.text_place > 0"
        )

    @property
    def bare(self) -> int:
        """How many papers have no abstract."""
        empty = "coalesce(json_extract(body, '$.abstract'), '') = ''"
        return self._count(f"SELECT count(*) FROM records WHERE place > 0 AND {empty}")

    def __len__(self) -> int:
        return self._count("SELECT count(*) FROM records WHERE place > 0")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _papers(self, ids: Sequence[str]) -> dict[str, Paper]:
        found: dict[str, Paper] = {}
        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._db.rows(f"SELECT id, body FROM records WHERE place IS NOT NULL AND id IN ({marks})", part)
            found |= {name: _read(body) for name, body in rows}
        return found

    def _all(self, sql: str) -> Iterator[Any]:
        """The rows of a query that goes on after the number in the first column of the last one."""
        last = 0
        while rows := self._db.rows(sql, (last,)):
            yield from rows
            last = rows[-1][0]

    def _count(self, sql: str) -> int:
        return int(self._db.rows(sql)[0][0])


def _columns(record: Record) -> tuple[str, str, int, int, str]:
    """id, body, size, text_size, text_hash."""
    paper = record.paper
    text = (
        record.text
        and hashlib.sha256(
            json.dumps([record.text, [(p.start, p.end, p.page) for p in record.passages]]).encode()
        ).hexdigest()
    )
    return paper.id, _adapter().dump_json(paper).decode(), len(paper.text), len(record.text), text


def _named(document: Document, row: str) -> Document:
    return replace(document, metadata={**document.metadata, "row": row})


def _read(body: str) -> Paper:
    return _adapter().validate_json(body)


@functools.cache
def _adapter() -> TypeAdapter[Paper]:
    from pydantic import TypeAdapter

    return TypeAdapter(Paper)
