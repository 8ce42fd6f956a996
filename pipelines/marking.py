"""What a reader found wrong: marks on citations of a finished review, kept with its run; every later export shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace

from litrag.core.errors import BadInput, CannotWrite, UnknownName
from litrag.core.store import Store
from litrag.core.types import Claim, Verdict
from litrag.exports.document import READER, Exported
from litrag.exports.evidence import with_verdicts
from litrag.pipelines.output import DOCUMENT
from litrag.pipelines.runs import Run

__all__ = ["Mark", "mark", "read_marks", "stored_document", "with_marks"]

_LONGEST_NOTE = 2000  # characters


@dataclass(frozen=True, slots=True)
class Mark:
    """A citation that its reader holds for wrong. `sentence` counts the sentences of the whole review, from 1."""

    sentence: int
    key: str
    note: str = ""


def mark(run: Run, key: str, *, sentence: int | None = None, wrong: bool = True, note: str = "") -> tuple[int, ...]:
    """Marks the citation of a work in one sentence, or in all that cite it, as wrong, or takes that back; returns the numbers of these sentences.

    The files stay as they are: `exporting.written_anew` writes them. Raises BadInput for an unfinished run, a sentence that does not cite the work
    and a long note, and where somebody works on the run; UnknownName for a work that the review does not cite; CannotWrite."""
    if len(note) > _LONGEST_NOTE:
        raise BadInput(f"the note has {len(note)} characters; at most {_LONGEST_NOTE} are kept")
    with run.hold():
        return _marked(run, key, sentence, wrong, note)


def _marked(run: Run, key: str, sentence: int | None, wrong: bool, note: str) -> tuple[int, ...]:
    document = stored_document(run)
    citing = tuple(number for number, claim in enumerate(document.draft.claims, start=1) if key in claim.keys)
    if not citing:
        raise UnknownName("cited work", key, document.draft.keys)
    if sentence is not None and sentence not in citing:
        raise BadInput(f"sentence {sentence} does not cite {key}; these do: {', '.join(map(str, citing))}")
    chosen = (sentence,) if sentence is not None else citing
    kept = [old for old in read_marks(run) if not (old.key == key and old.sentence in chosen)]
    new = [Mark(number, key, note) for number in chosen] if wrong else []
    _keep(run, sorted([*kept, *new], key=lambda each: (each.sentence, each.key)))
    return chosen


def read_marks(run: Run) -> tuple[Mark, ...]:
    """The marks of a run, by sentence. Raises BadInput for a damaged file."""
    file = run.folder / "marks.json"
    try:
        return tuple(Mark(**row) for row in json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file} is damaged ({error}); mend or delete it") from error


def with_marks(document: Exported, marks: Sequence[Mark]) -> Exported:
    """The document with the reader's verdicts in the place of the machine's."""
    if not marks:
        return document
    wrong = {(each.sentence, each.key) for each in marks}
    claims = tuple(_judged(number, claim, wrong) for number, claim in enumerate(document.draft.claims, start=1))
    draft = document.draft.with_claims(claims)
    return replace(document, draft=draft, evidence=document.evidence and with_verdicts(document.evidence, draft))


def stored_document(run: Run) -> Exported:
    """What a finished review was written from, as the run left it. Raises BadInput for an unfinished run."""
    with closing(Store(run.database)) as store:
        stored = store.recall(DOCUMENT) if run.state()[0] == "done" else None
        if stored is None:
            raise BadInput(f"run {run.id} holds no finished review; finish it with: litrag runs resume {run.id}")
        return store.get(stored, Exported)


def _judged(number: int, claim: Claim, wrong: set[tuple[int, str]]) -> Claim:
    verdicts = {verdict.key: verdict for verdict in claim.verdicts}
    for key in (key for key in claim.keys if (number, key) in wrong):
        verdicts[key] = Verdict(key, "unsupported", READER, quote=verdicts[key].quote if key in verdicts else None)
    return replace(claim, verdicts=tuple(verdicts.values()))


def _keep(run: Run, marks: Sequence[Mark]) -> None:
    part = run.folder / "marks.json.part"
    try:
        part.write_text(json.dumps([asdict(each) for each in marks], indent=1), encoding="utf-8")
        part.replace(run.folder / "marks.json")
    except OSError as error:
        raise CannotWrite(run.folder, error.strerror or str(error), remedy="free space or set LITRAG_HOME") from error
