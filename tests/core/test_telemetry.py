"""OpenTelemetry spans, as an exporter of the user's gets them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.author import Author
from fakes.texts import ABSTRACT, TITLE, papers, write_library
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from litrag import review
from litrag.core import telemetry
from litrag.core.errors import ModelUnavailable, Waiting
from litrag.models.request import ModelReply, ModelRequest
from litrag.pipelines.answer import ask
from litrag.pipelines.review import NODES

TEXT = f"{TITLE}\n\n{ABSTRACT}"
MODELS = {"model": "scripted/m", "embed_model": "scripted/e", "verify_model": "scripted/v"}


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What the user's exporter got. A provider of the process can be set once, so the tracer is given here."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("litrag")
    monkeypatch.setattr(telemetry, "_tracer", lambda: tracer)
    yield exporter
    provider.shutdown()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_library(tmp_path / "private-notes.jsonl")


def parent(span: ReadableSpan, spans: tuple[ReadableSpan, ...]) -> str:
    by_id = {each.context.span_id: each.name for each in spans if each.context}
    return by_id[span.parent.span_id] if span.parent else ""


def test_a_review_is_a_tree_of_its_nodes_and_they_of_their_calls(
    exported: InMemorySpanExporter, library: Path, tmp_path: Path
) -> None:
    result = review(TEXT, library=library, out=tmp_path / "out", papers=8, backend=Author(), **MODELS)
    spans = exported.get_finished_spans()
    tree = {(parent(span, spans), span.name) for span in spans}
    assert {name for above, name in tree if above == "invoke_workflow review"} >= set(NODES)
    assert {name for above, name in tree if above == ""} == {"invoke_workflow review"}
    assert {("search", "retrieval library"), ("rewrite", "chat m"), ("rerank", "rerank"), ("write", "chat m")} <= tree
    assert ("verify", "chat v") in tree
    ledger = json.loads((result.folder / "run.json").read_text())["ledger"]
    calls = [span for span in spans if span.attributes and "litrag.role" in span.attributes]
    sent = [span.attributes for span in calls if span.attributes and not span.attributes["litrag.cached"]]
    assert (len(sent), len(calls) - len(sent)) == (ledger["calls"], ledger["cached"])
    assert sum(int(str(each["gen_ai.usage.input_tokens"])) for each in sent) == ledger["prompt_tokens"]
    assert Counter(span.name for span in spans)["retrieval library"] == ledger["searches"]
    (writing, *_) = [each for each in sent if each["litrag.role"] == "write"]
    assert (writing["gen_ai.operation.name"], writing["gen_ai.request.model"]) == ("chat", "m")
    assert all(span.status.is_ok or span.status.is_unset for span in spans)
    (found, *_) = [span.attributes for span in spans if span.name == "retrieval library"]
    assert found["litrag.results"] == 40
    (whole,) = [span for span in spans if span.name == "invoke_workflow review"]
    assert result.run_id.endswith(f"-{(whole.attributes or {})['litrag.run']}")


def words_in(exporter: InMemorySpanExporter) -> set[str]:
    told = " ".join(str(span.to_json()) for span in exporter.get_finished_spans())
    return set(re.findall(r"[a-z]{4,}", told.lower()))


def test_no_word_of_the_user_leaves_unless_the_setting_says_so(
    exported: InMemorySpanExporter, library: Path, tmp_path: Path
) -> None:
    """An abstract that is not published yet must not stand in somebody's tracing backend."""
    own = set(re.findall(r"[a-z]{5,}", f"{TEXT} {papers()[0].text} private notes".lower()))
    own -= {"search", "under", "model", "between", "trained", "other", "short"}
    review(TEXT, library=library, out=tmp_path / "out", papers=8, backend=Author(), **MODELS)
    ask("Which dogs find mushrooms?", library=library, embed_model="none")
    assert words_in(exported) & own == set()
    exported.clear()
    review(
        TEXT, library=library, out=tmp_path / "two", papers=9, backend=Author(), telemetry_text=True, seed=1, **MODELS
    )
    assert {"mushrooms", "drones", "moisture", "private"} <= words_in(exported)


class Refusing(Author):
    async def send(self, request: ModelRequest) -> ModelReply:
        if request.role == "plan":
            raise ModelUnavailable(f"scripted/m: refused the abstract {ABSTRACT}")
        return await super().send(request)


def test_an_error_is_recorded_by_its_class_and_says_nothing_of_the_user(
    exported: InMemorySpanExporter, library: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable):
        review(TEXT, library=library, out=tmp_path / "out", papers=8, backend=Refusing(), **MODELS)
    spans = exported.get_finished_spans()
    failed = {span.name: (span.attributes or {})["error.type"] for span in spans if not span.status.is_unset}
    assert failed == dict.fromkeys(("chat m", "plan", "invoke_workflow review"), "ModelUnavailable")
    assert all(span.status.description is None and not span.events for span in spans)
    assert "mushrooms" not in words_in(exported)


def test_a_pause_is_no_error(exported: InMemorySpanExporter, library: Path, tmp_path: Path) -> None:
    with pytest.raises(Waiting):
        review(TEXT, library=library, out=tmp_path / "out", embed_model="none", pause=("plan",))
    spans = exported.get_finished_spans()
    assert all(span.status.is_unset for span in spans)
    assert [(span.attributes or {}).get("litrag.waiting") for span in spans if span.name == "edit"] == [True]


def test_a_question_is_a_tree(exported: InMemorySpanExporter, library: Path) -> None:
    ask("Which dogs find mushrooms?", library=library, embed_model="none")
    spans = exported.get_finished_spans()
    tree = {(parent(span, spans), span.name) for span in spans}
    nodes = {("invoke_workflow ask", name) for name in ("rewrite", "search", "answer")}
    assert {("", "invoke_workflow ask"), ("search", "retrieval library"), *nodes} == tree


@pytest.mark.parametrize("missing", [True, False])
def test_without_the_extra_or_a_provider_nothing_happens(missing: bool) -> None:
    script = (
        f"import sys\nif {missing}: sys.modules['opentelemetry'] = None\n"
        "from litrag.core.telemetry import span, workflow\n"
        "with workflow('review', 'a-1', text=False) as whole, span('x', {'a': 1}) as one:\n"
        "    one.add({'b': 2}); one.add_text(c='c'); whole.fail(ValueError('x'))\n"
        "print('done')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")
