"""ReAct with a language model (arXiv 2210.03629) in FrugalRAG's loop (arXiv 2507.07634, section 3.1): after each observation a thought, then `search`
or `finish`, by a DSPy signature.

Prompts grow by appending: each hop is a turn of the conversation, so a server may reuse what it has computed. Where the conversation would pass
`tokens`, the oldest observations are shortened to their titles; instructions, thoughts and queries never are. A reply that is no action is asked again
`retries` times, then counted, and the hop falls back to a finish: a bad reply costs a question its later hops, never its run."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from litrag.agents.loop import IN_REPLY, Next, Notes, Step
from litrag.core.errors import LitragError
from litrag.core.lengths import TextMeasure
from litrag.core.prompt import neutralised
from litrag.core.types import Message

__all__ = ["MALFORMED", "PAPERS", "QUESTION", "ReAct", "Replies", "Task", "observation", "parse_action", "signature"]

_QUESTION: Final = """Decide the next step of a search for documents that answer the question. Each observation lists documents that a search found and that you have
not seen before. If they, together with the earlier ones, hold what is needed, finish. Otherwise search for what is still missing: name the person, work, place or
thing that you need to know about, as the documents call it. Never ask the same query twice, and never answer the question yourself."""
_PAPERS: Final = """Decide the next step of a search for the papers that the related work section of a paper should cite. You are shown its abstract, then the titles that
each search found and that you have not seen before. Which part of the abstract (a method, a task, a data set, a theory, earlier attempts) do they leave out? Search for that with
a few words, as titles of such papers would put it; snowball from a title that fits well, to get what it cites; finish when nothing important is left out. Never ask the same
query twice."""
MALFORMED: Final = f"no action {IN_REPLY}"
_TRIES: Final = 2
_AGAIN: Final = 0.7  # temperature of a second try


@dataclass(slots=True)
class Replies:
    """What became of a model's decisions: well-formed at once, repaired by asking again, given up as malformed; and how many replies were no action."""

    good: int = 0
    repaired: int = 0
    malformed: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """What the model is told: its instructions, what its question is called, how many words of a document it sees beside the title, and what it
    may do, "finish" last."""

    instructions: str
    asked: str
    words: int
    actions: tuple[str, ...] = ("search", "finish")


QUESTION: Final = Task(_QUESTION, "Question", 80)
PAPERS: Final = Task(_PAPERS, "Abstract", 0, ("search", "snowball", "finish"))


@functools.cache
def signature(task: Task = QUESTION) -> Any:
    """The DSPy signature: history and observation in, thought, action and query out."""
    import dspy

    given = {
        "history": (dspy.History, dspy.InputField()),
        "observation": (str, dspy.InputField(desc=f"the {task.asked.casefold()}, or documents found")),
    }
    title = "; for snowball: a title" if "snowball" in task.actions else ""
    decided = {
        "thought": (str, dspy.OutputField(desc="what is known and what is missing, one sentence")),
        "action": (str, dspy.OutputField(desc=f"{', '.join(task.actions[:-1])} or {task.actions[-1]}")),
        "query": (str, dspy.OutputField(desc=f"for search: a few words{title}; for finish: empty")),
    }
    return dspy.Signature({**given, **decided}, task.instructions)


@dataclass(frozen=True, slots=True)
class ReAct:
    """Hops by a language model. `lm` is a DSPy language model (`models.dspy_lm.GatewayLM`), `program` a predictor of `signature` (one that DSPy has
    optimised, with demonstrations, or the plain one). `replies` counts over all questions."""

    lm: Any
    measure: TextMeasure
    program: Any = None
    tokens: int = 3000
    retries: int = _TRIES
    task: Task = QUESTION
    replies: Replies = field(default_factory=Replies)

    async def next(self, notes: Notes) -> Next:
        """The model's action; a finish where no reply was one. Raises BudgetSpent, ModelUnavailable."""
        history, last = self._turns(notes)
        for attempt in range(self.retries + 1):
            found = await self._asked(history, last, attempt)
            if found is not None:
                if attempt:
                    self.replies.repaired += 1
                else:
                    self.replies.good += 1
                return found
            self.replies.bad += 1
        self.replies.malformed += 1
        return Next(reason=MALFORMED)

    def example(self, notes: Notes, decided: Next) -> tuple[tuple[Message, ...], str]:
        """The conversation at these notes as the model gets it, without demonstrations, and the reply that decides so: what it can be taught."""
        import dspy

        history, last = self._turns(notes)
        adapter, form = dspy.ChatAdapter(), signature(self.task)
        given = {"history": dspy.History(messages=history), "observation": last}
        action = "finish" if not decided.text else "search" if decided.kind == "hop" else decided.kind
        said = {"thought": decided.thought, "action": action, "query": decided.text}
        messages = tuple(Message(turn["role"], turn["content"]) for turn in adapter.format(form, [], given))
        return messages, str(adapter.format_assistant_message_content(form, said))

    async def _asked(self, history: list[dict[str, str]], last: str, attempt: int) -> Next | None:
        import dspy

        predict = self.program or dspy.Predict(signature(self.task))
        try:
            adapter = dspy.ChatAdapter(use_json_adapter_fallback=False)  # a bad reply is asked again here, and counted
            config = {"rollout_id": attempt, "temperature": _AGAIN} if attempt else {}
            with dspy.context(lm=self.lm, adapter=adapter):
                reply = await predict.acall(history=dspy.History(messages=history), observation=last, config=config)
        except LitragError:
            raise
        except Exception:  # DSPy raises its adapters' own errors for a reply that it cannot parse
            return None
        return parse_action(
            str(reply.thought or ""), str(reply.action or ""), str(reply.query or ""), self.task.actions
        )

    def _turns(self, notes: Notes) -> tuple[list[dict[str, str]], str]:
        """Earlier observations with what was decided on them, and the last observation."""
        shown = [observation(notes, place, self.task) for place in range(len(notes.steps))]
        room = self.tokens - sum(self.measure.count(text) for text in shown)
        for place in range(len(shown) - 1):
            if room >= 0:
                break
            short = observation(notes, place, self.task, titles=True)
            room += self.measure.count(shown[place]) - self.measure.count(short)
            shown[place] = short
        turns = []
        for place, step in enumerate(notes.steps[1:]):
            turns.append(
                {
                    "observation": shown[place],
                    "thought": step.thought,
                    "action": step.query.kind if step.query.kind in self.task.actions else "search",
                    "query": step.query.text,
                }
            )
        return turns, shown[-1]


def observation(notes: Notes, place: int, task: Task = QUESTION, *, titles: bool = False) -> str:
    """What a hop saw: before the first documents the question; documents by title and their first words, or titles alone."""
    step: Step = notes.steps[place]
    lines = [f"{task.asked}: {neutralised(notes.question.text)}"] if place == 0 else []
    for hit in step.read:
        body = hit.document.text.removeprefix(hit.document.title).strip()
        words = "" if titles else " ".join(body.split()[: task.words])
        lines.append(neutralised(f"{hit.document.title}: {words}" if words else hit.document.title))
    return "\n".join(lines) or "nothing new"


def parse_action(thought: str, action: str, query: str, actions: Sequence[str] = QUESTION.actions) -> Next | None:
    """None for what is no action: none of `actions`, or a search for nothing."""
    name = re.findall(r"[^\W\d_]+", action.casefold())[:1]
    text = " ".join(query.replace('"', " ").split())
    short = " ".join(thought.split())[:500]
    if name == ["finish"]:
        return Next(thought=short, reason="finish")
    if name and name[0] in actions and _words(text):
        return Next(text[:300], short, kind="hop" if name[0] == "search" else name[0])
    return None


def _words(text: str) -> Sequence[str]:
    return [word for word in text.split() if any(c.isalnum() for c in word)]
