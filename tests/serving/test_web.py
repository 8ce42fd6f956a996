"""The page without a browser: who may ask, what is refused and how, what is shown of hostile words, the same review as the command line's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fakes.author import reply_to
from fakes.chat import Chat, chat_server
from fakes.shell import Shell
from fakes.texts import ABSTRACT, TITLE, papers, write_library
from starlette.testclient import TestClient

from litrag import review
from litrag.core.errors import BadInput
from litrag.core.paths import home
from litrag.core.types import Paper
from litrag.pipelines.exporting import document_of
from litrag.pipelines.marking import mark, read_marks
from litrag.pipelines.pausing import extra_lines, with_boxes
from litrag.pipelines.runs import find_run, list_runs
from litrag.retrievers.sources.library import add_library, list_libraries, remove_library
from litrag.serving.guard import Rules, rules
from litrag.serving.views import FILES
from litrag.serving.web import Web, web_app

TOKEN = "a-token-of-the-tests"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    with chat_server(reply_to) as server:
        for name, value in {"MODEL": "openai/m", "API_BASE": server.url, "EMBED_MODEL": "none"}.items():
            monkeypatch.setenv(f"LITRAG_{name}", value)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield server


@pytest.fixture
def forest(tmp_path: Path) -> str:
    hostile = Paper(
        "x",
        "<script>alert(1)</script> Dogs & Mushrooms",
        "We propose <img src=x onerror=alert(2)> dogs that find mushrooms by smell.",
        ("Eve <b>Il</b>",),
        2009,
        url="javascript:alert(3)",
    )
    add_library([write_library(tmp_path / "forest.jsonl", [hostile, *papers()[:16]])], name="forest").close()
    return "forest"


def client(allowed: Rules | None = None, base: str = "http://127.0.0.1:8765") -> TestClient:
    return TestClient(web_app(Web(allowed or rules("127.0.0.1"))), base_url=base, follow_redirects=False)


def form(page: TestClient, **fields: Any) -> dict[str, Any]:
    token = re.search(r'name="csrf" value="(\w+)"', page.get("/").text)
    assert token
    return {"csrf": token[1], "title": TITLE, "abstract": ABSTRACT, "papers": "6", **fields}


def finished(page: TestClient, run_id: str) -> str:
    """Reads the events of a run to their end, then its page."""
    with page.stream("GET", f"/runs/{run_id}/events") as events:
        assert [line for line in events.iter_lines() if line == "event: end"]
    return page.get(f"/runs/{run_id}").text


def test_only_this_machine_by_its_own_name() -> None:
    """A page of elsewhere whose name is made to point here (DNS rebinding) would else read every review."""
    page = client()
    assert page.get("/").status_code == 200
    for host in ("evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[::1", "localhost@evil.example"):
        assert page.get("/", headers={"host": host}).status_code == 421, host
    assert page.get("/", headers={"host": "localhost:8765"}).status_code == 200
    assert page.get("/", headers={"host": "[::1]:8765"}).status_code == 200


def test_no_other_page_sends_a_form() -> None:
    page = client()
    fields = form(page)
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert page.post("/estimate", data=fields, headers=headers).status_code == 403, headers
    refused = page.post("/runs", data={**fields, "csrf": "0" * 64})
    assert refused.status_code == 400
    assert "not of this page" in refused.text
    assert list_runs() == ()


def test_a_refusal_is_a_page_to_a_browser_and_a_line_to_a_program(home: Path) -> None:
    page = client(rules("127.0.0.1", TOKEN))
    shown, told = page.get("/<b>", headers={"accept": "text/html,*/*"}), page.get("/<b>")
    assert shown.status_code == told.status_code == 401
    assert "<title>litrag: this did not work</title>" in shown.text
    assert "<b>" not in shown.text
    assert told.text.startswith("litrag: the token is missing or wrong")
    assert shown.headers["content-security-policy"] == told.headers["content-security-policy"]


def test_a_token_is_asked_for_and_kept_as_a_cookie() -> None:
    page = client(rules("127.0.0.1", TOKEN))
    assert page.get("/").status_code == 401
    assert page.get("/?token=wrong").status_code == 401
    assert page.get("/", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert page.get("/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    entered = page.get(f"/?token={TOKEN}")
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "httponly" in entered.headers["set-cookie"].casefold()
    assert "samesite=strict" in entered.headers["set-cookie"].casefold()
    assert page.get("/").status_code == 200


@pytest.mark.parametrize(
    ("host", "token", "names", "why"),
    [
        ("192.0.2.7", "", (), "give a --token"),
        ("192.0.2.7", "short", (), "can be guessed"),
        ("0.0.0.0", TOKEN, (), "say by --allow-host"),
        ("127.0.0.1", "", ("papers.example",), "--allow-host papers.example lets other machines ask; give a --token"),
        ("0.0.0.0", TOKEN, ("http://box",), "is no name of a machine"),
        ("0.0.0.0", TOKEN, ("box:80",), "is no name of a machine"),
    ],
)
def test_others_may_ask_only_with_a_token_and_by_a_name(
    host: str, token: str, names: tuple[str, ...], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        rules(host, token, names)
    assert "box.example" in rules("0.0.0.0", TOKEN, ("box.example",)).hosts


def test_every_answer_keeps_the_browser_to_itself() -> None:
    page = client()
    for path in ("/", "/runs/nothing", "/static/litrag.js", "/nowhere"):
        headers = page.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    text = page.get("/").text
    assert set(re.findall(r'(?:src|href)="([^"#]*)', text)) <= {
        "/",
        "/static/litrag.js",
        "/static/litrag.css",
        "/static/litrag.svg",
        "",
    }
    assert " style=" not in text
    assert not re.search(r"\son\w+=", text)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"abstract": "Dogs."}, "fewer than 5 words"),
        ({"abstract": "dogs find " * 30_000}, "at most 100,000"),
        ({"papers": "many"}, "no whole number"),
        ({"papers": "-1"}, "papers"),
        ({"before": "soon"}, "write it as 2024-01-31"),
        ({"library": "../../etc/passwd"}, "library"),
        ({"library": "/etc/passwd"}, "library"),
        ({"source": "http://evil.example/"}, "source"),
        ({"style": "/tmp/evil.csl"}, "style"),
        ({"format": "exe"}, "format"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_the_form_keeps_its_words(fields: dict[str, str], why: str) -> None:
    page = client()
    sent = form(page, **fields)
    answer = page.post("/estimate", data=sent)
    assert answer.status_code == 400
    (line,) = re.findall(r'role="alert">([^<]*)<', answer.text)
    assert why in line
    if "abstract" not in fields:
        assert ABSTRACT[:60] in answer.text
    assert list_runs() == ()


def test_bounds_can_be_lower_than_the_settings_not_higher(model: Chat, forest: str) -> None:
    """Who may open the page may not spend more than who started it allowed; the estimate says what holds."""
    page = client()
    estimate = page.post("/estimate", data=form(page, library=forest, max_cost="99", max_calls="7")).text
    assert "Bounds in force: searches 24, calls 7, tokens 2,000,000, cost 1" in " ".join(estimate.split())


@pytest.mark.parametrize("box", ["openalex", ""])
def test_what_is_not_checked_is_not_done_whatever_is_set(
    model: Chat, forest: str, monkeypatch: pytest.MonkeyPatch, box: str
) -> None:
    """The page says that queries go to the sources that are checked: one in litrag.toml is checked at first, and unchecked it is not asked."""
    monkeypatch.setenv("LITRAG_SOURCES", '["openalex"]')
    monkeypatch.setenv("LITRAG_PAUSE", '["plan"]')
    monkeypatch.setenv("LITRAG_FULL_TEXT", "true")
    page = client()
    boxes = set(re.findall(r'name="(\w+)" value="([\w-]+)" checked', page.get("/").text))
    assert boxes == {("source", "openalex"), ("pause", "plan"), ("full_text", "yes")}
    fields = form(page, library=forest, **({"source": box} if box else {}))
    estimate = page.post("/estimate", data=fields).text
    assert ("openalex" in estimate) == bool(box)
    page.post("/runs", data=fields)
    (run,) = list_runs()
    asked = run.request.settings
    assert (asked["sources"], asked["pause"], asked["full_text"]) == ([box] if box else [], [], False)


def test_five_megabytes_are_refused_before_they_are_read() -> None:
    page = client()
    answer = page.post("/estimate", data=form(page, abstract="a" * 5_000_000))
    assert answer.status_code == 413
    assert "at most 1 MB" in answer.text

    def body() -> Iterator[bytes]:  # no length told
        for _ in range(50):
            yield b"a" * 100_000

    told = page.post("/estimate", content=body(), headers={"content-type": "application/x-www-form-urlencoded"})
    assert told.status_code == 413


def test_a_library_is_made_of_the_files_sent(tmp_path: Path) -> None:
    page = client()
    csrf = form(page)["csrf"]
    bib = (
        b"@article{kim2019, title={Soil Maps of Forests}, author={Kim, Anna}, year={2019}, abstract={We map the soil.}}"
    )
    sent = page.post("/libraries", data={"csrf": csrf, "name": "My Refs"}, files={"files": ("../../refs.bib", bib)})
    assert sent.status_code == 303
    (info,) = list_libraries()
    assert (info.name, info.papers) == ("my-refs", 1)
    assert "my-refs (1 papers)" in page.get("/").text
    again = page.post("/libraries", data={"csrf": csrf, "name": "my refs"}, files={"files": ("refs.bib", bib)})
    assert "there is a library my-refs already" in again.text
    program = page.post("/libraries", data={"csrf": csrf, "name": "b"}, files={"files": ("run.exe", b"MZ")})
    assert "not of a kind" in program.text
    broken = page.post("/libraries", data={"csrf": csrf, "name": "b"}, files={"files": ("b.pdf", b"%PDF-nothing")})
    assert broken.status_code == 400
    odd = page.post("/libraries", data={"csrf": csrf, "name": "文献"}, files={"files": ("refs.bib", bib)})
    assert "take letters from a to z, or digits" in odd.text
    remove_library("my-refs")
    page.post("/libraries", data={"csrf": csrf, "name": "My Refs"}, files={"files": ("refs.bib", bib)})
    assert [info.name for info in list_libraries()] == ["my-refs"], "removed elsewhere, its name is free"
    kept = home() / "uploads" / "b"
    kept.mkdir(parents=True)
    (kept / "refs.bib").write_bytes(bib)
    add_library([kept / "refs.bib"], name="other").close()
    used = page.post("/libraries", data={"csrf": csrf, "name": "b"}, files={"files": ("refs.bib", bib)})
    assert "belong to another library" in used.text
    assert (kept / "refs.bib").is_file()
    remove_library("other")
    large = page.post("/libraries", data={"csrf": csrf, "name": "c"}, files={"files": ("c.bib", b"%" * 26_000_000)})
    assert large.status_code == 413
    page.post("/libraries", data={"csrf": csrf, "name": "Müller 1"}, files={"files": ("refs.bib", bib)})
    assert [info.name for info in list_libraries()] == ["muller-1", "my-refs"]


def test_the_review_is_the_command_lines_and_shows_hostile_words_as_words(
    model: Chat, forest: str, tmp_path: Path
) -> None:
    """Estimate, start, events to the end, the page, a mark, a download; and byte by byte what the Python call of the same settings writes."""
    page = client()
    fields = form(page, library=forest, seed="3")
    estimate = page.post("/estimate", data=fields)
    assert "Start the review" in estimate.text
    again = page.post("/", data=fields).text
    assert fields["abstract"] in again, "back at the form, nothing has to be typed again"
    assert "openai/m" in estimate.text
    assert list_runs() == ()
    assert not model.prompts
    begun = page.post("/runs", data=fields)
    assert begun.status_code == 303
    run_id = begun.headers["location"].rpartition("/")[2]
    text = finished(page, run_id)
    out = Path(find_run(run_id).request.out)
    same = review(f"{TITLE}\n\n{ABSTRACT}", library=forest, papers=6, seed=3, out=tmp_path / "same")
    assert (out / "review.md").read_bytes() == (same.folder / "review.md").read_bytes()
    assert (out / "references.bib").read_bytes() == (same.folder / "references.bib").read_bytes()

    assert "<script>alert" not in text
    assert "<img" not in text
    assert "javascript:" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Dogs" in text
    targets = re.findall(r'popovertarget="(quote-[^"]*)"', text)
    panels = re.findall(r'<section popover id="(quote-[^"]*)"', text)
    assert panels
    assert set(targets) == set(panels)
    number, key = re.match(r"quote-(\d+)-(.*)", panels[0]).groups()  # type: ignore[union-attr]
    sent = page.post(
        f"/runs/{run_id}/marks",
        data={"csrf": fields["csrf"], "sentence": number, "key": key, "wrong": "yes", "note": "<b>no</b>"},
    )
    assert sent.status_code == 303
    marked = page.get(f"/runs/{run_id}").text
    assert "Marked as wrong: &lt;b&gt;no&lt;/b&gt;" in marked
    assert "(marked as wrong by a reader: " in (out / "review.md").read_text(encoding="utf-8")
    offered = re.findall(rf'href="/runs/{run_id}/files/([^"]+)"', marked)
    assert set(offered) == set(FILES)
    for name in offered:
        file = page.get(f"/runs/{run_id}/files/{name}")
        assert file.status_code == 200, name
        assert file.headers["content-disposition"].startswith("attachment"), name
        made = (out / name).read_bytes() if (out / name).is_file() else file.content
        assert file.content == made or name.endswith((".docx", ".html")), name
        assert len(file.content) > 50, name
    assert page.get(f"/runs/{run_id}/files/review.docx").content[:2] == b"PK"


def test_begun_here_it_goes_on_there_with_the_same_words(model: Chat, forest: str, tmp_path: Path, home: Path) -> None:
    """One review is begun on the page and goes on by the command line at each of its pauses, the other the other way round."""
    page, litrag = client(), Shell(tmp_path, home)
    fields = form(page, library=forest, seed="3", pause=["papers", "plan"])
    first = page.post("/runs", data=fields).headers["location"].rpartition("/")[2]
    assert "Go on with these papers" in finished(page, first)
    for _ in range(2):
        code, _, err = litrag("runs", "resume", first)
        assert code == 0, err
    assert find_run(first).state()[0] == "done"

    (tmp_path / "mine.txt").write_text(f"{TITLE}\n\n{ABSTRACT}")
    options = ("--library", forest, "--papers", "6", "--seed", "3", "-o", "mine")
    code, _, err = litrag("review", "mine.txt", *options, "--interactive")
    assert code == 0, err
    (second,) = {run.id for run in list_runs()} - {first}
    kept = re.findall(r'name="keep" value="([^"]+)" checked', page.get(f"/runs/{second}").text)
    page.post(f"/runs/{second}/papers", data={"csrf": fields["csrf"], "keep": kept})
    plan = re.search(r"<textarea[^>]*name=\"plan\"[^>]*>(.*?)</textarea>", finished(page, second), re.DOTALL)
    assert plan
    page.post(f"/runs/{second}/plan", data={"csrf": fields["csrf"], "plan": unescape(plan[1]).lstrip("\n")})
    finished(page, second)
    assert find_run(second).state()[0] == "done"
    texts = [(Path(find_run(each).request.out) / "review.md").read_bytes() for each in (first, second)]
    assert texts[0] == texts[1]


def test_a_bad_line_among_the_papers_to_add_can_be_taken_back() -> None:
    """It stands in papers.md, where the review cannot go on with it; the page shows it again, and what is sent then takes its place."""
    text = "# Papers: x\n\n> Check what is to be cited\n\n- [x] @a-2020: A (2020). T.\n- [ ] @b-2021: B (2021). U.\n"
    slip = with_boxes(text, ["a-2020"], ["10.1000/xyz", "rubbish"])
    assert extra_lines(slip) == ("- 10.1000/xyz", "- rubbish")
    assert with_boxes(slip, ["a-2020"], ["10.1000/xyz"]) == text + "- 10.1000/xyz\n"
    assert with_boxes(slip, ["a-2020"]) == text


def test_the_token_in_an_address_never_leads_elsewhere() -> None:
    """A link with a token must not end on another site, nor put lines into the answer."""
    page = client(rules("127.0.0.1", TOKEN))
    for path in ("//evil.example/x", "/%5cevil.example", "/runs/x%0d%0aX-Made: up"):
        answer = page.get(f"http://127.0.0.1:8765{path}?token={TOKEN}")
        assert re.fullmatch(r"/[\w/%.-]*", answer.headers["location"]), path
        assert not answer.headers["location"].startswith("//")
        assert "x-made" not in answer.headers
    page.cookies.clear()
    odd = {"cookie": f'a={{"x": 1}}; litrag_token_8765={TOKEN}'}
    assert page.get("/", headers=odd).status_code == 200, "a cookie of another server of this machine"
    assert page.get("/", headers={"origin": "http://[", "authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_marks_of_two_tabs_are_both_kept(model: Chat, forest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litrag.pipelines.runs._PATIENCE", 60.0)
    page = client()
    run_id = page.post("/runs", data=form(page, library=forest)).headers["location"].rpartition("/")[2]
    finished(page, run_id)
    run = find_run(run_id)
    keys = list(dict.fromkeys(document_of(run).draft.keys))
    with ThreadPoolExecutor(len(keys)) as tabs:
        list(tabs.map(lambda key: mark(run, key), keys))
    assert {each.key for each in read_marks(run)} == set(keys)
    for name in ("request.json", "..%2frequest.json", "review.exe", "run.sqlite"):
        assert page.get(f"/runs/{run_id}/files/{name}").status_code == 404, name


def test_events_go_on_after_the_last_one_seen(model: Chat, forest: str) -> None:
    """A browser that lost the connection asks with Last-Event-ID, also a server that was started anew."""
    page = client()
    run_id = page.post("/runs", data=form(page, library=forest, pause="plan")).headers["location"].rpartition("/")[2]
    assert "The plan" in finished(page, run_id)

    def steps(last: str) -> list[tuple[str, str]]:
        told = client().get(f"/runs/{run_id}/events", headers={"last-event-id": last} if last else {}).text
        assert "event: end" in told
        return re.findall(r"^id: (\d+)\r?\nevent: step\r?\ndata: (.*?)\r?$", told, re.MULTILINE)

    whole = steps("")
    assert [int(number) for number, _ in whole] == list(range(1, 1 + len(whole)))
    assert any('"stage": "plan"' in data for _, data in whole)
    assert not any('"stage": "export"' in data for _, data in whole)
    assert len(whole) > 8
    assert steps("4") == whole[4:]
    assert steps(str(len(whole))) == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("title", "a" * 900_000, "at most 1,000"),
        ("seed", "4294967296", "seed"),
        ("words", str(10**40), "words"),
        ("papers", "0", "papers"),
    ],
)
def test_what_is_too_much_is_told_before_anything_is_paid(forest: str, field: str, value: str, told: str) -> None:
    page = client()
    answer = page.post("/estimate", data=form(page, library=forest, **{field: value}))
    assert answer.status_code == 400
    assert told in answer.text
    assert "Start the review" not in answer.text
    assert list_runs() == ()
