"""The rows of a table of agents whose hops a language model decides. They read along the way `narrow`, within `model_searches` searches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from litrag.agents.answerer import ModelAnswerer
from litrag.agents.hops import EntityHops
from litrag.agents.loop import IN_REPLY, Hops
from litrag.agents.prompted import Agreement, Interleaved, SelfAsk
from litrag.core.lengths import measure_of
from litrag.corpora.types import Topic
from litrag.evals.agent_bench import WAYS, AgentBench, Ended, Read
from litrag.evals.runner import System
from litrag.models.counting import Tally

__all__ = ["ASKED", "asked"]

# hops of one question, with what they tell of their replies when it is over
_Made: TypeAlias = tuple[Hops, Callable[[], Mapping[str, float]]]


def _react(bench: AgentBench, tally: Tally) -> _Made:
    from litrag.agents.react import ReAct, Replies
    from litrag.models.dspy_lm import GatewayLM

    replies = Replies()
    lm = GatewayLM(bench.gateway, "react", max_tokens=100, wrap=tally.around)
    hops = ReAct(lm, measure_of(bench.gateway.model("react")), tokens=1500, retries=1, replies=replies)
    return hops, lambda: {"repaired": float(replies.repaired), "bad_replies": float(replies.bad)}


def _self_ask(bench: AgentBench, tally: Tally) -> _Made:
    return SelfAsk(bench.model("react", tally)), dict


def _ircot(bench: AgentBench, tally: Tally) -> _Made:
    return Interleaved(bench.model("react", tally)), dict


def _agreement(bench: AgentBench, tally: Tally) -> _Made:
    answerer = ModelAnswerer(bench.model("answer", tally), tokens=150, plain=True)
    return Agreement(EntityHops(bench.idf), answerer), dict


ASKED: Final[Mapping[str, Callable[[AgentBench, Tally], _Made]]] = {
    "react": _react,
    "self-ask": _self_ask,
    "ircot": _ircot,
    "narrow-stop-agreement": _agreement,
}


def asked(name: str, bench: AgentBench) -> System:
    """The row of a name in ASKED."""

    def ready() -> Ended:
        async def ended(topic: Topic, tally: Tally) -> Read:
            hops, told = ASKED[name](bench, tally)
            found = await bench.agent(WAYS["narrow"], hops, bench.model_searches).run(topic.query)
            own = float(found.stop_reason in ("finish", "answers agree"))
            malformed = float(found.stop_reason.endswith(IN_REPLY))
            return Read(found.notes, found.searches, {"finished": own, "malformed": malformed, **told()})

        return ended

    return bench.system(
        name,
        ready,
        model=bench.settings.role_model("answer" if "agreement" in name else "react"),
        searches=bench.model_searches,
    )
