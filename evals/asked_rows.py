"""The rows of a table of agents whose hops a language model decides. They read along the way `narrow`, within `model_searches` searches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from litrag.agents.answerer import ModelAnswerer
from litrag.agents.hops import EntityHops
from litrag.agents.loop import IN_REPLY, Hops
from litrag.agents.prompted import Agreement, Interleaved, SelfAsk
from litrag.core.lengths import measure_of
from litrag.corpora.types import Topic
from litrag.evals.agent_bench import WAYS, AgentBench, Ended, Read
from litrag.evals.runner import System
from litrag.evals.trainings import shown
from litrag.models.counting import Tally
from litrag.models.gateway import Gateway

__all__ = ["ASKED", "asked"]

# hops of one question, with what they tell of their replies when it is over
_Made: TypeAlias = tuple[Hops, Callable[[], Mapping[str, float]]]
_Maker: TypeAlias = Callable[[Tally], _Made]

# both stages of FrugalRAG at the least size; a base that writes no action learns its first ones from names
_BOUNDS: Final[Mapping[str, Any]] = {"searches": 4, "k": 6, "further": 1}
_EXPLORED: Final[Mapping[str, Any]] = {
    "max_steps": 300,
    "warmup_steps": 10,
    "batch_size": 2,
    "max_length": 2500,
    "learning_rate": 5e-4,
    "own": {**_BOUNDS, "teacher": "entity", "questions": 200, "finishing": 0.3},
}
_FRUGAL: Final[Mapping[str, Any]] = {
    "max_steps": 3,
    "batch_size": 4,
    "learning_rate": 1e-4,
    "own": {**_BOUNDS, "generations": 4, "reply_tokens": 80},
}


def _react(bench: AgentBench) -> _Maker:
    return partial(_deciding, bench.gateway)


def _explored(bench: AgentBench) -> _Maker:
    return partial(_deciding, bench.gateway_of(_first(bench)))


def _frugal(bench: AgentBench) -> _Maker:
    model, _ = bench.trained("frugal-grpo", _FRUGAL, _first(bench))
    return partial(_deciding, bench.gateway_of(model))


def _first(bench: AgentBench) -> str:
    model, _ = bench.trained("explore", _EXPLORED)
    return model


def _deciding(gateway: Gateway, tally: Tally) -> _Made:
    from litrag.agents.react import ReAct, Replies
    from litrag.models.dspy_lm import GatewayLM

    replies = Replies()
    lm = GatewayLM(gateway, "react", max_tokens=100, wrap=tally.around)
    hops = ReAct(lm, measure_of(gateway.model("react")), tokens=1500, retries=1, replies=replies)
    return hops, lambda: {"repaired": float(replies.repaired), "bad_replies": float(replies.bad)}


def _self_ask(bench: AgentBench) -> _Maker:
    return lambda tally: (SelfAsk(bench.model("react", tally)), dict)


def _ircot(bench: AgentBench) -> _Maker:
    return lambda tally: (Interleaved(bench.model("react", tally)), dict)


def _agreement(bench: AgentBench) -> _Maker:
    def made(tally: Tally) -> _Made:
        answerer = ModelAnswerer(bench.model("answer", tally), tokens=150, plain=True)
        return Agreement(EntityHops(bench.idf), answerer), dict

    return made


ASKED: Final[Mapping[str, Callable[[AgentBench], _Maker]]] = {
    "react": _react,
    "react-explored": _explored,
    "react-frugal": _frugal,
    "self-ask": _self_ask,
    "ircot": _ircot,
    "narrow-stop-agreement": _agreement,
}
_TRAINED: Final[Mapping[str, Mapping[str, Any]]] = {
    "react-explored": {"explore": _EXPLORED},
    "react-frugal": {"explore": _EXPLORED, "frugal-grpo": _FRUGAL},
}


def asked(name: str, bench: AgentBench) -> System:
    """The row of a name in ASKED."""

    def ready() -> Ended:
        made = ASKED[name](bench)

        async def ended(topic: Topic, tally: Tally) -> Read:
            hops, told = made(tally)
            found = await bench.agent(WAYS["narrow"], hops, bench.model_searches).run(topic.query)
            own = float(found.stop_reason in ("finish", "answers agree"))
            malformed = float(found.stop_reason.endswith(IN_REPLY))
            return Read(found.notes, found.searches, {"finished": own, "malformed": malformed, **told()})

        return ended

    return bench.system(
        name,
        ready,
        model=shown(bench.settings.role_model("answer" if "agreement" in name else "react")),
        searches=bench.model_searches,
        **_TRAINED.get(name, {}),
    )
