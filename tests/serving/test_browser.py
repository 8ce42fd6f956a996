"""A real browser against a real `litrag serve` and the loopback model: from an abstract to a downloaded review, by mouse and by keyboard; what it looks
like on a telephone; what a screen reader would meet (axe-core)."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.author import reply_to
from fakes.chat import Chat, chat_server
from fakes.served import Served, serve
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag.core.types import Paper
from litrag.retrievers.sources.library import add_library

CHROMIUM = shutil.which("chromium") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine: apt-get install chromium")
# a name that an attacker has brought to point here: the browser then sends it as Host
FORGED = "forged.example"
FLAGS = [
    f"--host-resolver-rules=MAP {FORGED} 127.0.0.1",
    *"--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(),
]
PICTURES = os.environ.get("LITRAG_PICTURES")  # a folder: screenshots are kept there, to be looked at
HOSTILE = Paper(
    "x",
    "<script>document.title='owned'</script> Dogs find Mushrooms",
    "We propose <img src=x onerror=\"document.title='owned'\"> dogs that find mushrooms by smell.",
    ("Eve Il",),
    2009,
    url="javascript:document.title='owned'",
)


@pytest.fixture(scope="module")
def model() -> Iterator[Chat]:
    with chat_server(lambda prompt: answers.wait(300) and reply_to(prompt)) as server:
        yield server


answers = threading.Event()  # whether the model gives any


@pytest.fixture
def environment(home: Path, model: Chat, tmp_path: Path) -> dict[str, str]:
    add_library([write_library(tmp_path / "forest.jsonl", [HOSTILE, *papers()[:20]])], name="forest").close()
    answers.set()
    return {"LITRAG_MODEL": "openai/m", "LITRAG_API_BASE": model.url, "LITRAG_EMBED_MODEL": "none"}


@pytest.fixture
def served(home: Path, environment: dict[str, str]) -> Iterator[Served]:
    with serve(home, **environment) as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A tab; whatever its console complains of fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(90_000)
    complaints: list[str] = []
    tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert [
        line for line in complaints if not re.search(r"net::ERR_|status of 413", line)
    ] == []  # a server that is started anew is away for a while; a refusal is one


def seen(tab: Any, name: str) -> None:
    """The page has no serious fault by axe-core, by day and by night, fits a telephone, and is kept as pictures where they are wanted."""
    from axe_playwright_python.sync_playwright import Axe

    for scheme in ("dark", "light"):
        tab.emulate_media(color_scheme=scheme)
        found = Axe().run(tab).response["violations"]
        assert [(scheme, v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")] == []
        if PICTURES and scheme == "dark":
            tab.screenshot(path=f"{PICTURES}/{name}-dark.png", full_page=True)
    for width, height in ((360, 740), (1280, 900)):
        tab.set_viewport_size({"width": width, "height": height})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        if PICTURES:
            tab.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)


def begun(tab: Any, served: Served, *, title: str = TITLE, pauses: bool = True, look: bool = False) -> str:
    """Pastes an abstract, reads the estimate, starts; the address of the run."""
    tab.goto(served.address)
    tab.get_by_label("Title of your paper").fill(title)
    tab.get_by_label("Abstract").fill(ABSTRACT)
    tab.get_by_label("Papers to cite").fill("6")
    for box in ("at the papers that were found", "at the plan, to edit it"):
        tab.get_by_label(re.compile(box)).set_checked(pauses)
    tab.get_by_role("button", name="See the estimate").click()
    start = tab.get_by_role("button", name="Start the review")
    start.wait_for()
    if look:
        seen(tab, "estimate")
    start.click()
    tab.wait_for_url("**/runs/*")
    return str(tab.url)


def test_from_an_abstract_to_a_downloaded_review(page: Any, served: Served) -> None:
    """Paste, estimate, run, drop a paper, edit the plan, read, open a quote, mark it, download."""
    page.goto(served.address)
    seen(page, "start")
    begun(page, served, look=True)
    page.get_by_role("heading", name="Which papers are to be cited?").wait_for()
    seen(page, "papers")
    boxes = page.get_by_role("group", name="Papers found").get_by_role("checkbox")
    hostile = page.locator("label", has_text=HOSTILE.title)  # its marks are text
    hostile.get_by_role("checkbox").check()
    kept = hostile.get_by_role("checkbox").get_attribute("value")
    for box in boxes.all():
        if box.is_checked() and box.get_attribute("value") != kept:
            spare = box
    spare.uncheck()
    chosen = [box for box in boxes.all() if box.is_checked()]
    assert len(chosen) == 6
    unwanted = next(box for box in chosen if box.get_attribute("value") != kept)
    dropped = unwanted.get_attribute("value")
    unwanted.uncheck()
    page.get_by_role("button", name="Go on with these papers").click()
    page.get_by_role("heading", name="The plan").wait_for()
    seen(page, "plan")
    editor = page.get_by_label(re.compile("Sections, paragraphs"))
    plan = editor.input_value()
    assert f"@{dropped}" not in plan
    editor.fill(plan.replace("\n### ", "\n## My own heading\n\n### ", 1))
    page.get_by_role("button", name="Go on with this plan").click()
    page.get_by_role("heading", name="References").wait_for()
    assert page.title() == TITLE
    assert page.get_by_role("heading", name="My own heading").count() == 1
    assert not page.locator(f"#ref-{dropped}").count()
    assert HOSTILE.title in page.locator(f"#ref-{kept}").inner_text()
    assert not page.locator("article script, article img, a[href^='javascript']").count()
    seen(page, "review")

    cite = page.locator("button.cite").first
    panel = page.locator(f"#{cite.get_attribute('popovertarget')}")
    assert not panel.is_visible()
    cite.click()
    assert panel.is_visible()
    assert panel.locator("mark").count()
    seen(page, "quote")
    page.keyboard.press("Escape")
    assert not panel.is_visible()
    cite.focus()
    page.keyboard.press("Enter")
    panel.get_by_label("What is wrong with it?").fill("It is about cats.")
    panel.get_by_role("button", name="Mark as wrong").click()
    page.locator("article .warn", has_text="marked as wrong by a reader").first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="review.docx").click()
    assert Path(download.value.path()).read_bytes()[:2] == b"PK"
    assert page.title() != "owned"


def test_a_slip_in_the_plan_is_told_of_and_mended_in_its_place(page: Any, served: Served) -> None:
    begun(page, served)
    page.get_by_role("button", name="Go on with these papers").click()
    editor = page.get_by_label(re.compile("Sections, paragraphs"))
    plan = editor.input_value()
    editor.fill(plan.replace("\n- ", "\n- what nobody said [@nobody1999]\n- ", 1))
    page.get_by_role("button", name="Go on with this plan").click()
    page.get_by_role("alert").wait_for()
    assert "nobody1999" in page.get_by_role("alert").inner_text()
    seen(page, "slip")
    editor.fill(plan)
    page.get_by_role("button", name="Go on with this plan").click()
    page.get_by_role("heading", name="References").wait_for()


def test_reload_and_restart_in_the_middle_two_runs_at_once_and_a_stop(
    page: Any, home: Path, environment: dict[str, str]
) -> None:
    """The review goes on when the page is loaded anew and when the server dies; the page finds it again by its last event. Another is stopped and
    resumed."""
    answers.clear()
    with serve(home, **environment) as served:
        port = int(served.url.rpartition(":")[2])
        first = begun(page, served, pauses=False)
        other = page.context.new_page()
        other.set_default_timeout(90_000)
        second = begun(other, served, title="Another", pauses=False)
        assert first != second
        other.goto(served.address)
        assert other.get_by_role("row", name=re.compile("running")).count() == 2
        other.goto(second)
        other.get_by_role("button", name="Stop it").click()
        other.get_by_role("button", name="Go on").wait_for()
        assert "interrupted" in other.get_by_role("alert").inner_text()
        seen(other, "stopped")
        page.reload()
        page.locator("[aria-current=step]").wait_for()
        seen(page, "running")
    answers.set()
    with serve(home, port=port, **environment) as served:  # the tab was not told
        page.get_by_role("heading", name="References").wait_for()
        other.get_by_role("button", name="Go on").click()  # of a form from before: told so
        other.get_by_role("alert").wait_for()
        other.goto(second)
        other.get_by_role("button", name="Go on").click()
        other.get_by_role("heading", name="References").wait_for()
        page.goto(served.address)
        assert page.get_by_role("row", name=re.compile("done")).count() == 2


def test_a_wrong_token_and_a_long_abstract_are_told_of(page: Any, home: Path, environment: dict[str, str]) -> None:
    token = "a-token-of-the-tests"
    with serve(home, "--token", token, **environment) as served:
        answer = page.request.get(f"{served.url}/?token=wrong")
        assert answer.status == 401
        page.goto(served.address)
        assert "token" not in page.url
        assert page.request.post(f"{served.url}/runs", form={"abstract": "a" * 5_000_000}).status == 413
        seen(page, "token")
        page.get_by_label("Abstract").evaluate("(box) => { box.value = 'a'.repeat(5000000) }")
        with page.expect_response("**/estimate") as answered:
            page.get_by_role("button", name="See the estimate").click()
        assert answered.value.status == 413
        page.get_by_text("too much was sent: at most").wait_for()
        seen(page, "too much")


def test_a_name_that_was_made_to_point_here_shows_nothing(chromium: Any, served: Served) -> None:
    """DNS rebinding: another site's script would read the reviews by its own name."""
    port = served.url.rpartition(":")[2]
    page = chromium.new_page()
    answer = page.goto(f"http://{FORGED}:{port}/")
    assert answer.status == 421
    assert "this server is not called so" in page.inner_text("body")
    assert not page.get_by_label("Abstract").count()
    page.close()


def test_a_review_is_started_by_the_keyboard_alone(page: Any, served: Served) -> None:
    """Every control is reached in the order in which it is read, and none is skipped."""
    page.goto(served.address)
    controls = page.evaluate(
        """() => [...document.querySelectorAll("a[href], input:not([type=hidden]), textarea, select, button, summary, [tabindex='0']")]
        .filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 120))"""
    )
    reached: list[str] = []
    while len(reached) < len(controls):
        page.keyboard.press("Tab")
        now = page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
        if reached[-1:] == [now]:  # a date has three fields
            assert 'type="date"' in now
            continue
        reached.append(now)
        if 'type="date"' not in now:  # its fields show the focus themselves
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", now
    assert reached == controls
    page.goto(served.address)
    page.get_by_label("Title of your paper").focus()
    page.keyboard.type(TITLE)
    page.keyboard.press("Tab")
    page.keyboard.type(ABSTRACT[:200])
    page.get_by_role("button", name="See the estimate").focus()
    page.keyboard.press("Enter")
    start = page.get_by_role("button", name="Start the review")
    start.focus()
    page.keyboard.press("Space")
    page.wait_for_url("**/runs/*")
