"""Local libraries: papers of one's own, searchable by BM25 as soon as they were added, and by vectors once those are filled in
(`library_search`). What they are on disk: `library_files`."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from litrag.core.errors import BadInput, CannotWrite, UnknownName
from litrag.core.events import Listener, silent
from litrag.core.paths import libraries_folder
from litrag.core.types import Document, Paper, Passage
from litrag.retrievers.bm25 import BM25Index
from litrag.retrievers.sources.folders import storable
from litrag.retrievers.sources.library_building import build, files_of, unread
from litrag.retrievers.sources.library_files import (
    Manifest,
    VectorNote,
    damaged,
    gone,
    known_paths,
    locked,
    read_manifest,
)
from litrag.retrievers.sources.library_table import PaperTable
from litrag.retrievers.sources.reading import KINDS

__all__ = [
    "Library",
    "LibraryInfo",
    "add_library",
    "list_libraries",
    "open_library",
    "remove_library",
    "update_library",
]


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """Facts about a library. `added`: the user added it; else a file or folder was named once with --library. `vectors` counts the papers
    and passages that have one of the furthest model; `problem` says why the library cannot be opened, with the remedy; `notes` what of
    its files was left out, and why."""

    name: str
    folder: Path
    papers: int
    vectors: int
    added: bool
    sources: tuple[str, ...]
    problem: str = ""
    passages: int = 0
    files: int = 0
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many texts have, or may have, a vector: those of papers and passages."""
        return self.papers + self.passages


@dataclass(slots=True)
class Library:
    """An open library. Close it when done."""

    folder: Path
    manifest: Manifest
    warnings: tuple[str, ...] = ()
    _table: PaperTable | None = field(default=None, repr=False)
    _index: BM25Index | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name it is called by: an added library's own, an unnamed one's after its file or folder."""
        return self.manifest.name

    @property
    def contents(self) -> Path:
        """The folder of papers and BM25 index."""
        return self.folder / self.manifest.contents

    @property
    def index(self) -> BM25Index:
        """The BM25 index. Raises BadInput where it is damaged."""
        if self._index is None:
            try:
                self._index = BM25Index.load(self.contents / "bm25")
            except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
                raise damaged(self.called, error) from error
            if len(self._index) != len(self):
                raise damaged(self.called, "index and papers do not belong together")
        return self._index

    @property
    def called(self) -> str:
        """What a command may call it: its name, or the file of a library that was never added."""
        return self.name if self.manifest.added else self.manifest.sources[0].path

    def papers(self, ids: Sequence[str]) -> tuple[Paper, ...]:
        """The papers of ids, in their order. Raises KeyError, BadInput where the library is damaged."""
        return self.table.papers(ids)

    def documents(self, rows: Sequence[str]) -> tuple[Document, ...]:
        """The paper of each row of the index, as a document; that of a passage names it as "row" in its metadata."""
        return self.table.documents(rows)

    def passage(self, row: str) -> Passage:
        """The passage that is a row of the index. Raises KeyError."""
        return self.table.passage(row)

    def full_text(self, paper_id: str) -> str:
        """The text that the passages of a paper are cut from; "" where the library holds none."""
        return self.table.full_text(paper_id)

    def __len__(self) -> int:
        return self.manifest.papers

    def info(self) -> LibraryInfo:
        """Facts, vectors of the furthest model included."""
        notes = [VectorNote.read(folder) for folder in sorted(self.folder.glob("vectors/*"))]
        counts = [note.papers for note in notes if note and note.fingerprint == self.manifest.fingerprint]
        made = self.manifest
        return LibraryInfo(
            self.name,
            self.folder,
            len(self),
            max(counts, default=0),
            made.added,
            tuple(source.path for source in made.sources),
            passages=made.passages,
            files=sum(not file.problem for file in made.files),
            notes=tuple(_notes(made)),
        )

    def close(self) -> None:
        """Closes the files; what is used again is opened again."""
        if self._table is not None:
            self._table.close()
            self._table = None

    @property
    def table(self) -> PaperTable:
        """The papers. Raises BadInput where they are damaged, or gone since another process wrote the library."""
        if self._table is None:
            if not (self.contents / "papers.sqlite").is_file():
                raise damaged(self.called, "its papers are gone, or were replaced since it was opened")
            try:
                table = PaperTable(self.contents)
                count, passages = len(table), table.passages
            except (BadInput, CannotWrite) as error:
                raise damaged(self.called, error.__cause__) from error
            if (count, passages) != (len(self), self.manifest.passages):
                table.close()
                raise damaged(self.called, f"{count:,} of {len(self):,} papers are there, or passages are missing")
            self._table = table
        return self._table


def add_library(paths: Sequence[Path], *, name: str | None = None, listen: Listener = silent) -> Library:
    """Indexes files of papers, and folders of them, under a name; a library of that name keeps its sources and gets these, too. No file
    is read again that did not change. Papers of one id count once. In a folder a file that cannot be read is a warning.

    Raises BadInput (files, name), CannotWrite; then the former state is as it was. Raises EnvironmentFault while another process
    writes the library."""
    if not paths:
        raise BadInput(f"no file given; name folders, or files of papers ({', '.join(KINDS)})")
    name = name if name is not None else _stem(paths[0])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", name):
        raise BadInput(f"library name {name!r}: use letters, digits, '.', '_' and '-'")
    wanted = [path.expanduser().resolve() for path in paths]
    if odd := next((path for path in wanted if not storable(path)), None):
        raise BadInput(f"{str(odd).encode('utf-8', 'replace').decode()}: its name is not UTF-8; rename it")
    return _made(libraries_folder() / name, wanted, name=name, added=True, listen=listen)


def open_library(name_or_path: str, *, listen: Listener = silent) -> Library:
    """The library of a name, or of a file or folder, which is indexed when it is first named and again when it changed.

    Raises UnknownName, BadInput (a damaged library, an unreadable file)."""
    folder = _folder(name_or_path)
    path = _file(name_or_path)
    if path is None:
        return Library(folder, _complete(folder))
    return _made(folder, [path.resolve()], name=_stem(path), added=False, listen=listen)


def list_libraries() -> tuple[LibraryInfo, ...]:
    """All libraries by name; damaged ones with their problem."""
    parent = libraries_folder()
    found = []
    for folder in sorted(parent.iterdir()) if parent.is_dir() else []:
        if folder.name.startswith(".") or not (folder / "manifest.json").is_file():
            continue
        try:
            found.append(Library(folder, _complete(folder)).info())
        except BadInput as error:
            sources = tuple(map(str, known_paths(folder)))
            added = "@" not in folder.name
            found.append(LibraryInfo(folder.name.partition("@")[0], folder, 0, 0, added, sources, str(error)))
    return tuple(found)


def update_library(name: str, *, listen: Listener = silent) -> Library:
    """Reads the files that are new or changed, all of them if the library is damaged; those that are gone from its folders go. Vectors of
    papers and passages that did not change are kept."""
    folder = _folder(name)
    path = _file(name)
    if path is not None:
        return _made(folder, [path.resolve()], name=_stem(path), added=False, listen=listen)
    if not known_paths(folder):
        read_manifest(folder)
    return _made(folder, [], name=folder.name, added=True, listen=listen)


def remove_library(name: str) -> None:
    """Deletes a library, damaged or not; its source files stay."""
    folder = _folder(name)
    if not (folder / "manifest.json").is_file():
        raise UnknownName("library", name, (info.name for info in list_libraries() if info.added))
    with locked(folder):
        (folder / "manifest.json").unlink(missing_ok=True)  # from here on it is gone, whatever becomes of the rest
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path, paths: Sequence[Path], *, name: str, added: bool, listen: Listener) -> Library:
    """The library over its own files and `paths`: as it is where it is whole and nothing changed, else built."""
    if (library := _current(folder, paths, added=added)) is not None:
        return library
    with locked(folder, listen=listen):
        if (library := _current(folder, paths, added=added)) is not None:
            return library  # another process has just made it
        own = known_paths(folder) if added else ()
        for path in own:
            if not path.exists():
                raise gone(path)
        every = list(dict.fromkeys((*own, *paths)))
        whole = _whole(folder)
        former = whole.manifest if whole else None
        manifest, warnings = build(folder, every, name=name, added=added, former=former, listen=listen)
    if own and paths and len(every) > len(own):
        held = ", ".join(path.name for path in own)
        warnings = (*warnings, f"library {name} keeps what it held ({held}); `litrag library remove {name}` empties it")
    return Library(folder, manifest, warnings)


def _current(folder: Path, paths: Sequence[Path], *, added: bool) -> Library | None:
    """The library if it is whole and holds just what these sources hold now."""
    if (library := _whole(folder)) is None:
        return None
    sources = [Path(source.path) for source in library.manifest.sources]
    if not set(paths) <= set(sources) or library.manifest.added != added:
        return None
    for path in sources:
        if not path.exists():
            raise gone(path)
    found = [(str(path), label or path.name) for path, label in files_of(sources).files]
    files = library.manifest.files
    if found != [(file.path, file.label) for file in files] or not all(file.unchanged() for file in files):
        return None
    return library


def _whole(folder: Path) -> Library | None:
    """The library if nothing of it is missing or damaged."""
    if not (folder / "manifest.json").is_file():
        return None
    try:
        library = Library(folder, _complete(folder))
    except BadInput:
        return None
    try:
        _ = library.index, library.table
    except BadInput:
        return None
    finally:
        library.close()
    return library


def _notes(manifest: Manifest) -> Iterator[str]:
    """What was left out of which file, and why."""
    for file in manifest.files:
        if file.problem:
            yield file.problem
        yield from file.warnings
    yield from manifest.problems
    if manifest.unknown:
        yield unread(manifest.unknown)


def _complete(folder: Path) -> Manifest:
    """The manifest, its contents being there. Raises BadInput."""
    manifest = read_manifest(folder)
    if not (folder / manifest.contents / "bm25").is_dir():
        raise damaged(manifest.name if manifest.added else manifest.sources[0].path, "it is incomplete")
    return manifest


def _folder(name_or_path: str) -> Path:
    """The folder of a named library, or of a file's. Raises UnknownName."""
    path = _file(name_or_path)
    if path is not None:
        return _folder_of_file(path)
    folder = libraries_folder() / name_or_path
    if _is_name(name_or_path) and (folder / "manifest.json").is_file():
        return folder
    names = (info.name for info in list_libraries() if info.added)
    raise UnknownName("library", name_or_path, names, remedy="or name a file or folder of papers")


def _file(name_or_path: str) -> Path | None:
    """The file or folder that is meant; None for the name of a library."""
    if _is_name(name_or_path) and (libraries_folder() / name_or_path / "manifest.json").is_file():
        return None
    path = Path(name_or_path).expanduser()
    is_file = path.exists() or "/" in name_or_path or name_or_path.lower().endswith(KINDS)
    return path if name_or_path and is_file else None


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None


def _folder_of_file(path: Path) -> Path:
    key = hashlib.sha256(str(path.expanduser().resolve()).encode()).hexdigest()[:8]
    return libraries_folder() / f"{_stem(path)}@{key}"


def _stem(path: Path) -> str:
    plain = re.sub(r"(\.(jsonl|ndjson|json|bib|ris|csv|pdf|md|markdown|txt|gz))+$", "", path.name.lower())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "library"
