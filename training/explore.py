"""FrugalRAG's first stage (arXiv 2507.07634, section 3.1): a model learns to search from the best of many trajectories.

Stages in the run folder: programs.json (demonstrations that DSPy's random search over bootstrapped few-shot prompts found best), examples.jsonl
(trajectories: at each hop every program and the plain one decide at a temperature, each query is searched with, the decision after which most of the
needed documents are there is kept; finishing is allowed in a share of the questions), and the run itself, the recipe `sft` on them.

A base too small to write one good decision has nothing to learn from. For it the teacher may be `agents.hops.EntityHops`, which is no model."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import Field

from litrag.agents.entities import WordWeights
from litrag.agents.hops import EntityHops
from litrag.agents.loop import Hops, Next, Notes
from litrag.agents.react import MALFORMED, ReAct, signature
from litrag.core.errors import BadInput
from litrag.core.events import Event
from litrag.core.lengths import ROUGH
from litrag.core.paths import cache_file
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache, digest, place_of
from litrag.core.sync import run
from litrag.corpora import load
from litrag.corpora.types import Topic
from litrag.models.dspy_lm import GatewayLM
from litrag.models.gateway import Gateway
from litrag.training.frugal import questions_of, title_recall
from litrag.training.kit import Built, Job
from litrag.training.rollouts import Bounds, World
from litrag.training.sft import sft
from litrag.training.stages import each

__all__ = ["ENTITY", "Enough", "ExploreSettings", "Explorer", "explore"]

_NAMES: Final = 3  # names that the teacher entity tries at a hop
ENTITY: Final = "entity"  # the teacher that is no model
_REPLY: Final = 200  # tokens of a decision


class ExploreSettings(Bounds):
    """The recipe's own settings (--set)."""

    teacher: str = Field(
        default="",
        description="Model string of the one that explores, or entity: hops by names, without a model; none: the base.",
    )
    questions: int = Field(default=200, ge=1, description="Questions that are explored.")
    temperature: float = Field(default=0.7, ge=0, description="Decisions are sampled at.")
    finishing: float = Field(default=0.1, ge=0, le=1, description="Share of the questions whose agent may finish.")
    bootstrap: int = Field(default=50, ge=0, description="Questions that demonstrations come from; 0: none are sought.")
    demonstrations: int = Field(default=3, ge=1, description="Most demonstrations of a prompt.")
    candidates: int = Field(default=7, ge=1, description="Prompts that the random search tries.")
    programs: int = Field(default=4, ge=1, description="The best of them, which explore beside the plain one.")


def explore(job: Job) -> Built:
    """The recipe. `dataset` is a data set of questions with needed documents (hotpotqa:train). Raises BadInput, ModelUnavailable, MissingExtra,
    ModelFault."""
    config, own = job.config, job.config.of(ExploreSettings)
    data = load(config.dataset)
    topics = sorted(questions_of(data, config.dataset), key=lambda topic: digest(topic.id))
    path = job.run.folder / "examples.jsonl"
    if not path.is_file():
        world = World.of(data, own)
        gateway = _gateway(job, own)
        if own.teacher == ENTITY:
            weights = WordWeights.of(document.text for document in data.corpus())
            deciders: list[Hops] = [Enough(), *(EntityHops(weights, place=place) for place in range(_NAMES))]
        else:
            programs = _programs(job, world, topics[: own.bootstrap], gateway, own)
            topics = topics[own.bootstrap :] or topics  # a prompt must not show a question its own solution
            deciders = [_react(gateway, program, own.temperature) for program in (*map(_program, programs), None)]
        rows = run(_explored(job, world, topics[: own.questions], deciders, gateway, own))
        job.run.write(path.name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    second = config.model_copy(update={"recipe": "sft", "dataset": str(path), "own": {}})
    return sft(Job(replace(job.run, config=second), job.listen))


def _gateway(job: Job, own: ExploreSettings) -> Gateway:
    teacher = "" if own.teacher == ENTITY else own.teacher
    settings = load_settings(react_model=teacher or job.config.base_model, seed=job.config.seed)
    return Gateway(settings, cache=RequestCache(cache_file()))


def _react(gateway: Gateway, program: Any, temperature: float) -> ReAct:
    lm = GatewayLM(gateway, "react", temperature=temperature, max_tokens=_REPLY)
    return ReAct(lm, ROUGH, program=program, retries=0)


def _programs(
    job: Job, world: World, topics: Sequence[Topic], gateway: Gateway, own: ExploreSettings
) -> list[Sequence[Mapping[str, Any]]]:
    """The demonstrations of the best prompts, best first."""
    path = job.run.folder / "programs.json"
    if not path.is_file():
        found = _bootstrapped(world, topics, gateway, own) if topics else []
        job.run.write(path.name, json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    kept: list[Sequence[Mapping[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    job.listen(Event("explore", f"{len(kept)} prompts with demonstrations"))
    return kept


def _bootstrapped(
    world: World, topics: Sequence[Topic], gateway: Gateway, own: ExploreSettings
) -> list[list[dict[str, Any]]]:
    import dspy

    known = {topic.query.text: topic for topic in topics}

    class Agent(dspy.Module):  # type: ignore[misc]
        """A whole trajectory as one call, so that DSPy sees which decisions led to a good one."""

        def __init__(self) -> None:
            super().__init__()
            self.decide = dspy.Predict(signature())

        def forward(self, question: str) -> Any:
            """Title recall at the end."""
            topic = known[question]
            found = run(world.agent(_react(gateway, self.decide, 0.0)).run(topic.query))
            return dspy.Prediction(recall=title_recall(topic, found.notes), searches=found.searches)

    def good(example: Any, prediction: Any, trace: Any = None) -> float | bool:
        value = float(prediction.recall)
        return value if trace is None else value == 1.0 and prediction.searches > 1

    examples = [dspy.Example(question=topic.query.text).with_inputs("question") for topic in topics]
    search = dspy.BootstrapFewShotWithRandomSearch(
        metric=good,
        max_bootstrapped_demos=own.demonstrations,
        max_labeled_demos=0,
        num_candidate_programs=own.candidates,
        num_threads=1,
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # DSPy prints as it goes
        best = search.compile(Agent(), trainset=examples)
    found: list[list[dict[str, Any]]] = []
    for candidate in getattr(best, "candidate_programs", []):
        demonstrations = [_plain(demo) for demo in candidate["program"].decide.demos]
        if demonstrations and demonstrations not in found:
            found.append(demonstrations)
    return found[: own.programs]


def _plain(demo: Any) -> dict[str, Any]:
    """A demonstration as JSON."""
    values = dict(demo.items()) if hasattr(demo, "items") else dict(demo)
    values.pop("augmented", None)
    history = values.get("history")
    return {**values, "history": getattr(history, "messages", history) or []}


def _program(demonstrations: Sequence[Mapping[str, Any]]) -> Any:
    import dspy

    made = dspy.Predict(signature())
    made.demos = [
        dspy.Example(**{**demo, "history": dspy.History(messages=list(demo["history"]))}).with_inputs(
            "history", "observation"
        )
        for demo in demonstrations
    ]
    return made


async def _explored(
    job: Job,
    world: World,
    topics: Sequence[Topic],
    deciders: Sequence[Hops],
    gateway: Gateway,
    own: ExploreSettings,
) -> list[dict[str, Any]]:
    """A conversation with the reply to learn, for each hop of each trajectory."""
    learner = _react(gateway, None, own.temperature)

    async def one(topic: Topic) -> dict[str, Any]:
        finishing = place_of(f"finishing {topic.id}") < own.finishing
        explorer = Explorer(deciders, world, topic, learner, finishing=finishing)
        found = await world.agent(explorer).run(topic.query)
        return {"recall": title_recall(topic, found.notes), "examples": explorer.examples}

    found = await each(job, "explore", topics, one, gateway)
    rows = [example for row in found for example in row["examples"]]
    recall = sum(row["recall"] for row in found) / len(found)
    job.listen(Event("explore", f"{len(rows)} decisions of {len(found)} questions, recall {recall:.3f}"))
    if not rows:
        who = "the teacher entity" if own.teacher == ENTITY else gateway.model("react").model
        raise BadInput(f"{who} made no decision that could be learned; name a stronger teacher, or more questions")
    return rows


@dataclass(frozen=True, slots=True)
class Enough:
    """Offers to finish; where a search finds more, an explorer takes that."""

    async def next(self, notes: Notes) -> Next:
        """A finish."""
        return Next(thought="what was read says what is needed", reason="finish")


@dataclass
class Explorer:
    """Hops that are the best of several deciders': the one after which most of the needed documents are there, the earlier one of equals, and a finish
    before another search that finds no more. `examples` are what the chosen decisions teach the `learner`."""

    deciders: Sequence[Hops]
    world: World
    topic: Topic
    learner: ReAct
    finishing: bool = False
    examples: list[dict[str, Any]] = field(default_factory=list)

    async def next(self, notes: Notes) -> Next:
        """The best decision; none where no reply was one. Raises ModelFault, BudgetSpent."""
        best, worth = Next(reason=MALFORMED), (-1.0, False)
        tried: dict[str, float] = {}
        for decider in self.deciders:
            decided = await decider.next(notes)
            text = decided.text.strip()
            if decided.reason == MALFORMED or (not text and not self.finishing) or text.casefold() in notes.asked:
                continue
            if text not in tried:
                after = notes if not text else await self.world.agent(self).searched(notes, decided)
                tried[text] = title_recall(self.topic, after)
            if (found := (tried[text], not text)) > worth:
                best, worth = decided, found
        if worth[0] >= 0:
            messages, reply = self.learner.example(notes, best)
            turns = [{"role": message.role, "content": message.content} for message in messages]
            messages_ = [*turns, {"role": "assistant", "content": reply}]
            self.examples.append({"messages": messages_, "group": self.topic.id})
        return best
