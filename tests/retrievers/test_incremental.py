from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fakes.pdf import Page, column, paragraphs, pdf
from fakes.texts import papers, write_library
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litrag.core.events import Event
from litrag.core.types import Query
from litrag.retrievers.sources.library import Library, add_library, open_library, remove_library, update_library

QUERIES = ("train dogs", "soil moisture", "owls eat mice", "thing 2", "zebras")


def state(library: Library) -> tuple[object, ...]:
    """All that a search can see of a library."""
    index = library.index
    found = [[(index.row(at), score) for at, score in index.search(Query(text), 100)] for text in QUERIES]
    library.close()
    return library.manifest.fingerprint, tuple(index.ids), len(library), library.manifest.passages, found


def fresh(shelf: Path) -> tuple[object, ...]:
    """The same of a library that is made of the folder now."""
    made = state(add_library([shelf], name="fresh"))
    remove_library("fresh")
    return made


def _lines(ids: str, words: str) -> str:
    return "".join(json.dumps({"id": i, "title": f"Paper {i}", "abstract": words}) + "\n" for i in ids)


# What a file may hold; ids are shared between files, and of one id now this record is the longest, now that.
CONTENTS = {
    "a.jsonl": [_lines("xyz", "train dogs"), _lines("zyx", "train dogs and more dogs"), _lines("x", "soil")],
    "b.jsonl": [_lines("yz", "soil moisture"), _lines("y", "a long text on soil moisture and on dogs")],
    "c.ris": ["TY  - JOUR\nID  - x\nTI  - Owls\nAB  - owls eat mice\nER  - \n"],
    "d/n.md": ["# Notes\nowls eat mice\n", "# Notes\nhttps://doi.org/10.1000/x owls eat voles\n", ""],
    "d/o.txt": ["Another\n\nhttps://doi.org/10.1000/x thing 2\n", "Another\n\n" + "thing 2 is here. " * 100],
    "e.jsonl": [_lines(["10.1000/x"], "zebras"), "broken"],
}
EDITS = st.lists(
    st.sampled_from(sorted(CONTENTS)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from([None, *CONTENTS[name]]))
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(EDITS, min_size=1, max_size=4))
def test_after_any_edits_an_updated_library_is_what_a_fresh_one_is(
    rounds: list[list[tuple[str, str | None]]], home: Path
) -> None:
    """An index that depends on its history answers differently on two machines with the same files."""
    with tempfile.TemporaryDirectory() as place:
        shelf = Path(place) / "shelf"
        (shelf / "d").mkdir(parents=True)
        (shelf / "always.jsonl").write_text(_lines("w", "dogs and owls"))
        add_library([shelf], name="mine").close()
        for edits in rounds:
            for name, content in edits:
                (shelf / name).unlink(missing_ok=True) if content is None else (shelf / name).write_text(content)
            assert state(update_library("mine")) == fresh(shelf)
        remove_library("mine")


def shelf_of(tmp_path: Path) -> Path:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    write_library(shelf / "a.jsonl", papers())
    for i in range(6):
        (shelf / f"n{i}.md").write_text(f"# Note {i}\nIt speaks of thing {i}.\n")
    (shelf / "z.pdf").write_bytes(pdf([Page(column(paragraphs(i, word="zebras"))) for i in range(3)]))
    return shelf


SCRIPT = """
import os, signal, sys
from pathlib import Path
from litrag.retrievers.sources.library import add_library, update_library

def listen(event):
    print(event.message, event.done, flush=True)
    if f"{event.message} {event.done}" == STOP:
        DO

add_library([Path(SHELF)], name="mine", listen=listen).close()
print("done")
"""


def script(shelf: Path, stop: str, do: str) -> list[str]:
    code = SCRIPT.replace("STOP", repr(stop)).replace("DO", do).replace("SHELF", repr(str(shelf)))
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    "moment", ["a.jsonl: reading 0", " 1", "n3.md: reading 4", " 7", "z.pdf: reading 7", "mine: indexing 47 papers 0"]
)
def test_killed_at_any_moment_the_next_build_is_what_a_fresh_one_is_and_reads_no_file_twice(
    tmp_path: Path, home: Path, moment: str
) -> None:
    shelf = shelf_of(tmp_path)
    killed = subprocess.run(
        script(shelf, moment, "os.kill(os.getpid(), signal.SIGKILL)"), capture_output=True, text=True, timeout=600
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    read_before = [line.split(": ")[0] for line in killed.stdout.splitlines() if ": reading" in line]
    whole = read_before if moment.startswith((" ", "mine")) else read_before[:-1]
    read: list[str] = []

    def listen(event: Event) -> None:
        if ": reading" in event.message:
            read.append(event.message.split(": ")[0])

    library = add_library([shelf], name="mine", listen=listen)
    assert sorted(read + whole) == ["a.jsonl", *(f"n{i}.md" for i in range(6)), "z.pdf"]
    assert state(library) == fresh(shelf)
    assert [path.name for path in library.folder.glob("contents-*")] == [library.manifest.contents]


def test_killed_within_an_update_the_former_state_is_there_and_the_next_update_mends(
    tmp_path: Path, home: Path
) -> None:
    shelf = shelf_of(tmp_path)
    before = state(add_library([shelf], name="mine"))
    (shelf / "n3.md").write_text("# Note 3\nIt speaks of owls.\n")
    killed = subprocess.run(
        script(shelf, "mine: indexing 47 papers 0", "os.kill(os.getpid(), signal.SIGKILL)"), capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL
    assert state(open_library("mine")) == before
    assert state(update_library("mine")) == fresh(shelf)


def test_of_two_updates_at_once_one_waits_and_both_end_well(tmp_path: Path, home: Path) -> None:
    shelf = shelf_of(tmp_path)
    add_library([shelf], name="mine").close()
    (shelf / "n3.md").write_text("# Note 3\nIt speaks of owls.\n")
    held = "n3.md: reading 4"
    with started(script(shelf, held, "input()")) as first:
        assert first.stdout is not None
        assert held in iter(lambda: first.stdout.readline().strip(), "")
        with started(script(shelf, "never", "pass")) as second:
            assert second.stdout is not None
            assert second.stdout.readline().strip() == "mine: another process is writing it; waiting for it to end 0"
            first.communicate("\n", timeout=600)
            out, _ = second.communicate(timeout=600)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "reading" not in out, "what the first had made is not made again"
    assert state(update_library("mine")) == fresh(shelf)


def started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_stop_by_the_user_keeps_what_was_read(tmp_path: Path) -> None:
    shelf = shelf_of(tmp_path)

    def stop(event: Event) -> None:
        if event.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_library([shelf], name="mine", listen=stop)
    events: list[Event] = []
    library = add_library([shelf], name="mine", listen=events.append)
    assert [event.message for event in events if "reading" in event.message] == [
        "n4.md: reading",
        "n5.md: reading",
        "z.pdf: reading",
    ]
    assert state(library) == fresh(shelf)
