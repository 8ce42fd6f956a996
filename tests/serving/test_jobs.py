"""Reviews in processes of their own, over a model's loopback server: followed, stopped, gone on with, never two at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.author import reply_to
from fakes.chat import Chat, chat_server
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.settings import load_settings
from litrag.core.sync import run as run_sync
from litrag.pipelines.api import make_request
from litrag.pipelines.pausing import boxes, paused_at, with_boxes
from litrag.pipelines.reading import Abstract
from litrag.pipelines.state import ReviewRequest
from litrag.serving.jobs import Jobs

ALLOWED = load_settings


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with chat_server(lambda prompt: time.sleep(0.05) or reply_to(prompt)) as server:
        yield server


@pytest.fixture
def request_of(model: Chat, tmp_path: Path) -> Callable[..., ReviewRequest]:
    library = write_library(tmp_path / "forest.jsonl", papers()[:20])

    def made(**settings: Any) -> ReviewRequest:
        chosen = load_settings(
            **{"model": "openai/m", "api_base": model.url, "embed_model": "none", "papers": 8, **settings}
        )
        return make_request(Abstract("abstract", TITLE, ABSTRACT), chosen, libraries=[str(library)])

    return made


def followed(jobs: Jobs, run: Any, after: int = 0) -> list[tuple[int, Event]]:
    async def all_of_them() -> list[tuple[int, Event]]:
        return [found async for found in jobs.events(run, after=after)]

    return run_sync(all_of_them())


def test_a_review_is_followed_to_its_pauses_and_to_its_end(request_of: Callable[..., ReviewRequest]) -> None:
    """Each pause is met by editing its file, as the command line's user would; ids of events go on over processes and restarts of the server."""
    jobs = Jobs()
    run = jobs.start(request_of(pause=("papers", "plan")))
    assert jobs.state(run)[0] == "running"
    first = followed(jobs, run)
    assert jobs.state(run)[0] == "waiting"
    assert paused_at(run) == "papers"
    file = Path(run.request.out) / "papers.md"
    text = file.read_text(encoding="utf-8")
    offered = boxes(text)
    kept = [box.key for box in offered if box.checked][1:]
    file.write_text(with_boxes(text, kept), encoding="utf-8")
    jobs = Jobs()  # the server was started anew
    jobs.go_on(run, ALLOWED())
    second = followed(jobs, run, after=first[-1][0])
    assert paused_at(run) == "plan"
    jobs.go_on(run, ALLOWED())
    third = followed(jobs, run, after=second[-1][0])
    assert jobs.state(run) == ("done", "done")
    assert paused_at(run) == ""
    ids = [number for number, _ in (*first, *second, *third)]
    assert ids == list(range(1, len(ids) + 1))
    assert third[-1][1] == Event("export", kind="end")
    review = (Path(run.request.out) / "review.md").read_text(encoding="utf-8")
    cited = {box.key for box in offered if f"#ref-{box.key}" in review}
    assert cited == set(kept)


def test_a_review_is_stopped_and_goes_on(request_of: Callable[..., ReviewRequest], model: Chat) -> None:
    """In the middle: the third call is not answered before."""
    stopped = threading.Event()
    model.answer = lambda prompt: (len(model.prompts) < 3 or stopped.wait(300)) and reply_to(prompt)
    jobs = Jobs()
    run = jobs.start(request_of(concurrency=1))
    until = time.monotonic() + 300
    while len(model.prompts) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    jobs.stop(run)
    followed(jobs, run)
    stopped.set()
    assert jobs.state(run)[0] == "interrupted"
    with pytest.raises(BadInput, match=f"run {run.id} is not running"):
        jobs.stop(run)
    jobs.go_on(run, ALLOWED())
    followed(jobs, run)
    assert jobs.state(run)[0] == "done"


def test_one_run_is_worked_on_once_and_few_at_a_time(request_of: Callable[..., ReviewRequest]) -> None:
    """Two processes on one run would write one review twice; many at once would make all of them slow."""
    jobs = Jobs(most=1)
    run = jobs.start(request_of())
    with pytest.raises(BadInput, match="run already"):
        jobs.start(request_of())
    with pytest.raises(BadInput, match="is running"):
        jobs.go_on(run, ALLOWED())
    followed(jobs, run)
    assert jobs.state(run)[0] == "done"
    with pytest.raises(BadInput, match="is done"):
        jobs.go_on(run, ALLOWED())


def test_a_run_held_by_one_is_refused_to_another(request_of: Callable[..., ReviewRequest]) -> None:
    from litrag import resume
    from litrag.pipelines.runs import new_run

    run = new_run(request_of())
    with run.hold():
        assert run.held
        with pytest.raises(BadInput, match=r"being worked on elsewhere.*litrag runs stop"):
            resume(run.id)
    assert not run.held


def test_what_ends_before_it_begins_says_why(request_of: Callable[..., ReviewRequest]) -> None:
    """A process that dies at its start leaves no status; its last line is the reason."""
    from litrag.pipelines.runs import new_run

    jobs = Jobs()
    run = new_run(request_of())
    (run.folder / "request.json").write_text("{", encoding="utf-8")
    jobs._spawn(run)
    followed(jobs, run)
    status, note = jobs.state(run)
    assert status == "failed"
    assert "damaged" in note
    assert str(os.getpid()) not in note


def test_what_lies_in_the_folder_of_the_command_line_is_left_alone(
    request_of: Callable[..., ReviewRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`litrag review abstract.txt --interactive` waits in ./abstract-review; a review of a server in that folder must not take its papers over."""
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "abstract-review" / "papers.md"
    other.parent.mkdir()
    other.write_text("- [x] @somebody2001: not of this review\n", encoding="utf-8")
    jobs = Jobs()
    run = jobs.start(request_of(pause=("papers",)))
    followed(jobs, run)
    assert jobs.state(run)[0] == "waiting", jobs.state(run)
    assert "somebody2001" not in (Path(run.request.out) / "papers.md").read_text(encoding="utf-8")


def test_a_run_that_was_allowed_more_is_not_continued_here(request_of: Callable[..., ReviewRequest]) -> None:
    from litrag.pipelines.runs import new_run

    run = new_run(request_of(max_cost=50.0))
    with pytest.raises(BadInput, match=r"max_cost 50, more than the 1 that this server allows"):
        Jobs().go_on(run, ALLOWED())


def test_a_held_run_is_neither_removed_nor_sent_elsewhere(request_of: Callable[..., ReviewRequest]) -> None:
    from litrag.pipelines.runs import new_run

    run = new_run(request_of())
    before = run.request
    with run.hold():
        for change in (run.remove, lambda: run.redirect("elsewhere", force=False)):
            with pytest.raises(BadInput, match="worked on elsewhere"):
                change()
    assert run.request == before
    run.remove()
    assert not run.folder.exists()
    assert not run.held
    assert not run.folder.exists()
