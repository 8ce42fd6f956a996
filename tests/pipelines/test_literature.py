"""A review whose agent searches on: with what was found, or as a model decides; within its own bound and the run's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.author import Author
from fakes.shell import Shell, failure
from fakes.texts import ABSTRACT, TITLE, papers, write_library

from litrag import review
from litrag.core.protocols import Usage
from litrag.core.types import Paper
from litrag.models.request import ModelReply, ModelRequest
from litrag.models.scripted import ScriptedBackend

BRIDGE = Paper(
    "b-1",
    "Dogs that find truffles, tartufi and tubers",
    "Tartufi grow where tubers of old oaks end.",
    ("A. Bridge",),
    2004,
)
HIDDEN = Paper("h-1", "Tartufi ed altri tuberi", "Tartufi grow where tubers end.", ("B. Hidden",), 2005)
CITED = Paper("c-1", "Ganz andere Wege", "Ganz andere Dinge.", ("C. Cited",), 2003)


def found(folder: Path) -> set[str]:
    evidence = json.loads((folder / "evidence.json").read_text())["evidence"]
    return {item["paper"]["title"] for item in evidence}


@pytest.fixture
def library(tmp_path: Path, no_weights: None) -> Path:
    return write_library(tmp_path / "forest.jsonl", [*papers()[:10], BRIDGE, HIDDEN, CITED])


def test_what_was_found_finds_more(library: Path, tmp_path: Path) -> None:
    text = "Truffles\n\nWe train dogs to find truffles in the forest by their scent."
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, agent in zip(folders, ("none", "papers"), strict=True):
        review(text, library=library, out=folder, agent=agent, agent_searches=5, rewriter="none", papers=40)
    assert HIDDEN.title not in found(folders[0])
    assert found(folders[1]) - found(folders[0]) >= {HIDDEN.title}
    records = [json.loads((folder / "run.json").read_text()) for folder in folders]
    one_pass, own = records[1]["trajectories"]
    assert records[0]["trajectories"] == [one_pass]
    assert (one_pass["agent"], own["agent"]) == ("queries", "papers")
    assert [hop["query"] for hop in one_pass["hops"]] == ["Truffles\n" + text.partition("\n\n")[2]]
    assert len(own["hops"]) == records[1]["ledger"]["searches"]
    assert sum(hop["new"] for hop in own["hops"][1:]) >= 1
    assert own["stop_reason"]
    searches = [record["ledger"]["searches"] for record in records]
    assert searches[0] == 1
    assert 2 <= searches[1] <= 6


def test_the_runs_budget_ends_it(library: Path, tmp_path: Path) -> None:
    done = review(
        f"{TITLE}\n\n{ABSTRACT}", library=library, out=tmp_path / "a", agent="papers", rewriter="none", max_searches=3
    )
    assert "searches" in done.stop_reason
    record = json.loads((tmp_path / "a" / "run.json").read_text())
    assert record["ledger"]["searches"] == 3
    assert found(tmp_path / "a"), "what was found is written about"


class Decides(Author):
    """An author whose agent searches, snowballs, and finishes."""

    actions = [("search", "tartufi"), ("snowball", BRIDGE.title), ("snowball", "No such title"), ("finish", "")]

    async def send(self, request: ModelRequest) -> ModelReply:
        if request.role != "react":
            return await super().send(request)
        self.requests.append(request)
        done = sum(message.role == "assistant" for message in request.messages)
        action, query = self.actions[done]
        fields = (("thought", f"step {done}"), ("action", action), ("query", query))
        text = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields) + "\n\n[[ ## completed ## ]]"
        return ModelReply(Usage(10, 10), texts=(text,), finish=("stop",))


def test_a_model_searches_snowballs_and_finishes(library: Path, tmp_path: Path) -> None:
    pytest.importorskip("dspy")
    (tmp_path / "cites.jsonl").write_text(json.dumps({"id": "b-1", "cites": ["c-1"], "year": 2004}) + "\n")
    backend = Decides()
    review(
        "Truffles\n\nWe train dogs to find truffles in the forest by their scent.",
        library=library,
        out=tmp_path / "out",
        backend=backend,
        react_model="scripted/m",
        agent="react",
        rewriter="none",
        writer="extractive",
        snowball_graph=str(tmp_path / "cites.jsonl"),
        snowball=1,
        papers=40,
    )
    assert {HIDDEN.title, CITED.title} <= found(tmp_path / "out")
    asked = [request for request in backend.requests if request.role == "react"]
    assert len(asked) == 4
    assert "Abstract: " in asked[0].messages[1].content
    assert BRIDGE.title in asked[0].messages[1].content
    assert BRIDGE.abstract not in asked[0].messages[1].content, "titles alone"
    assert CITED.title in asked[2].messages[-1].content, "what the bridge cites is what the agent sees next"
    roles = [message.role for message in asked[-1].messages]
    assert roles == ["system", *("user", "assistant") * 3, "user"]
    assert "nothing new" in asked[-1].messages[-1].content, "a title that nothing found has leads nowhere"


def test_a_reply_that_is_no_action_costs_the_agent_not_the_review(library: Path, tmp_path: Path) -> None:
    pytest.importorskip("dspy")
    review(
        f"{TITLE}\n\n{ABSTRACT}",
        library=library,
        out=tmp_path / "out",
        backend=ScriptedBackend(answer=lambda request: "I would rather not."),
        react_model="scripted/m",
        agent="react",
        rewriter="none",
    )
    assert found(tmp_path / "out")


def test_the_command_plans_it_and_says_what_it_lacks(library: Path, tmp_path: Path, home: Path) -> None:
    litrag = Shell(tmp_path, home)
    (tmp_path / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}")
    command = ("review", "abstract.txt", "--library", "forest.jsonl", "--agent", "react", "--dry-run")
    assert "no model for the role react; set --model or --react-model" in failure(litrag(*command), 2)
    code, out, err = litrag(*command, "--react-model", "openai/x", "--agent-searches", "2")
    assert code == 0, err
    assert "react    openai/x" in out
    assert "6 calls" in out
    assert "agent" in failure(litrag("review", "abstract.txt", "--agent", "papes"), 2)


def test_a_budget_that_ends_the_agent_is_the_reviews_stop_reason(library: Path, tmp_path: Path) -> None:
    pytest.importorskip("dspy")
    result = review(
        "Truffles\n\nWe train dogs to find truffles in the forest by their scent.",
        library=library,
        out=tmp_path / "out",
        backend=Decides(),
        react_model="scripted/m",
        agent="react",
        rewriter="none",
        writer="extractive",
        embed_model="none",
        max_calls=1,
    )
    assert result.stop_reason.startswith("budget: calls: 1 of 1 spent")
    assert found(tmp_path / "out")
