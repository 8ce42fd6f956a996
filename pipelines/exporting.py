"""A finished review in other formats or another style, from what its run stored: no search, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from litrag.core.errors import BadInput, UnknownName
from litrag.core.store import Store
from litrag.core.types import Plan
from litrag.exports.document import Exported
from litrag.exports.formats import FORMATS, check_export, files_of, written
from litrag.exports.run_record import RunFile
from litrag.exports.styles import absolute_style
from litrag.pipelines.marking import read_marks, stored_document, with_marks
from litrag.pipelines.output import PLANNED, evidence_json, refuse_unvouched, sha, write_files
from litrag.pipelines.runs import Run

__all__ = [
    "document_of",
    "edited",
    "export_run",
    "exported",
    "file_of",
    "finished",
    "read_record",
    "record_of",
    "written_anew",
]


def export_run(
    run: Run, formats: Sequence[str], *, style: str | None = None, out: str | None = None, force: bool = False
) -> tuple[Path, ...]:
    """Writes the formats into `out`, by default the review's folder, whose run.json then vouches for the new files,
    too.

    Raises UnknownName, BadInput (an unfinished run, a style, files that are not the run's or were edited, unless
    `force`), MissingExtra, CannotWrite."""
    own = document_of(run)
    document = replace(own, style=absolute_style(style) if style else own.style)
    check_export(formats, document.style)
    folder = Path(out).absolute() if out else Path(run.request.out)
    files = written(document, formats)
    styles = dict.fromkeys(files, document.style if document.style != own.style else "")
    return _write(run, files, folder, styles, force=force)


def exported(run: Run, kind: str, *, style: str | None = None) -> dict[str, bytes]:
    """A format's files by name, out of what the run stored, marks of its reader included; nothing is written. Raises as `export_run`."""
    document = document_of(run)
    return written(replace(document, style=style or document.style), [kind])


def file_of(run: Run, name: str) -> bytes:
    """A file of a finished review by its name, evidence.json and run.json among them; nothing is written. Raises UnknownName, and as `export_run`."""
    if name == "evidence.json":
        return evidence_json(document_of(run))
    if name == "run.json":
        if (record := record_of(run)) is None:
            raise BadInput(
                f"the folder of run {run.id} holds no run.json of it; the review itself: litrag runs export {run.id} -f md -o DIR"
            )
        return (record.model_dump_json(indent=1) + "\n").encode()
    kind = next((kind for kind in FORMATS if name in files_of([kind])), None)
    if kind is None:
        raise UnknownName("file of a review", name, files_of(FORMATS))
    return exported(run, kind)[name]


def _write(
    run: Run, files: Mapping[str, bytes], folder: Path, styles: Mapping[str, str], *, force: bool
) -> tuple[Path, ...]:
    """`styles` says of files in which style they cite, "" the review's own."""
    with run.hold():
        record = record_of(run, folder)
        known = record.files if record else {}
        for path in (folder / name for name in files if not force):
            if path.exists() and path.read_bytes() != files[path.name]:
                refuse_unvouched(path, known, "this run", "choose another folder with -o, or overwrite with --force")
        write_files(folder, files, remedy="free space, or choose another folder with -o")
        if record:
            hashes = {**known, **{name: sha(folder / name) for name in files}}
            others = {name: style for name, style in {**record.styles, **styles}.items() if style}
            vouched = record.model_copy(update={"files": hashes, "styles": others}).model_dump_json(indent=1) + "\n"
            write_files(folder, {"run.json": vouched.encode()}, remedy="free space")
    return tuple(folder / name for name in files)


def edited(run: Run) -> tuple[str, ...]:
    """The files of a run's review that were changed since litrag wrote them: what the run stored, and every export is written from, lacks the changes."""
    folder, record = Path(run.request.out), record_of(run)
    known = record.files if record else {}
    there = (folder / name for name in files_of(FORMATS) if name in known and (folder / name).is_file())
    return tuple(path.name for path in there if sha(path) != known[path.name])


def written_anew(run: Run) -> tuple[Path, ...]:
    """Writes the files of the review that its run.json vouches for once more, as after a mark, each in the style it has. Raises what
    `export_run` raises."""
    folder = Path(run.request.out)
    record = record_of(run, folder)
    if record is None:
        raise BadInput(
            f"{folder} holds no review of run {run.id}; write it elsewhere with: litrag runs export {run.id} -f md -o DIR"
        )
    document = document_of(run)
    by_style: dict[str, list[str]] = {}
    for name in (name for name in FORMATS if set(files_of([name])) <= set(record.files)):
        by_style.setdefault(record.styles.get(files_of([name])[0], document.style), []).append(name)
    files: dict[str, bytes] = {}
    for style, formats in by_style.items():
        files |= written(replace(document, style=style), formats)
    return _write(run, {**files, "evidence.json": evidence_json(document)}, folder, {}, force=False)


def document_of(run: Run) -> Exported:
    """What a finished review was written from, with the verdicts of its reader. Raises BadInput for an unfinished run."""
    return with_marks(stored_document(run), read_marks(run))


def finished(run: Run) -> tuple[Exported, Plan]:
    """What a finished review is written from, and its plan. Raises BadInput for a run that is not finished."""
    document = document_of(run)
    with closing(Store(run.database)) as store:
        plan = store.recall(PLANNED)
        return document, store.get(plan, Plan) if plan else Plan()


def read_record(folder: Path) -> RunFile:
    """The run.json of a review's folder. Raises BadInput."""
    try:
        return RunFile.model_validate_json((folder / "run.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise BadInput(f"{folder} holds no readable run.json; give the folder that a review was written to") from error


def record_of(run: Run, folder: Path | None = None) -> RunFile | None:
    """The run.json of a run, in its review's folder or another; None where there is none, or another run's."""
    try:
        record = read_record(folder or Path(run.request.out))
    except BadInput:
        return None
    return record if record.run_id == run.id else None
