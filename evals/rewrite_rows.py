"""The rows of `litrag eval rewrite`: each a function from the bench to ways of asking, one a seed.

Class given: texts that the data set brings, no model. Class b: a model as it came. Class c: trained here, on other pages. Class control: what
a row has to beat to be worth anything, and upper bounds that know the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from litrag.core import registry
from litrag.core.protocols import ForcedScoring, Generates, Retriever
from litrag.core.types import Query
from litrag.corpora.types import Topic
from litrag.evals.rewrite_bench import Ask, RewriteBench, Row
from litrag.evals.trainings import SEEDS
from litrag.models.chat import ChatModel
from litrag.models.counting import Tally
from litrag.rewriters import REWRITERS
from litrag.rewriters.answer_reward import AnswerReward
from litrag.rewriters.best_of import RewriteScorer, sampled
from litrag.rewriters.conversational import SelfContained
from litrag.training.adaqr import reciprocal_ranks

__all__ = ["ROWS", "answer_reward", "best_scores", "whole"]

_K: Final = 3
_SURE: Final = 0.2  # margin from which on the reward of a reader of this size mostly is right
_SHUFFLED: Final[Mapping[str, Any]] = {"shuffled": True, "margin": _SURE}  # the control of what is asked without page
_HISTORY: Final = 100  # tokens of it that are shown, in training and here
# AdaQR at a size that two cores do in half an hour a seed: 400 turns
_ADAQR: Final[Mapping[str, Any]] = {  # its own settings
    "sft_turns": 200,
    "sft_steps": 50,
    "turns": 200,
    "k": _K,
    "passages": 3,
    "passage_tokens": 100,
    "history_tokens": _HISTORY,
    "reader_history_tokens": 60,
}
_STEPS: Final[Mapping[str, Any]] = {"max_steps": 40, "warmup_steps": 4, "learning_rate": 5e-4}
Pick = Callable[[RewriteBench, Mapping[str, Any], Topic, Sequence[str]], Any]


def _given(text: Callable[[Topic], str]) -> Callable[[RewriteBench], Sequence[Ask]]:
    """A text that needs no model."""

    async def ask(topic: Topic, tally: Tally) -> Sequence[Query]:
        return [replace(topic.query, text=text(topic), parent=topic.query.text)]

    return lambda bench: [ask]


def _context(topic: Topic) -> str:
    return " ".join((topic.query.context, topic.query.text))


def _settings(seed: int, *, context: bool = True, **own: Any) -> dict[str, Any]:
    return {**_STEPS, "seed": seed, "own": {**_ADAQR, "context": context, **own}}


def _rewriting(model: ChatModel, *, context: bool) -> Ask:
    """The rewrite alone; the original where there is none."""

    async def ask(topic: Topic, tally: Tally) -> Sequence[Query]:
        found = await SelfContained(model.through(tally.around), _HISTORY, context).rewrite(topic.query)
        return found[-1:]

    return ask


def _untrained(bench: RewriteBench, *, context: bool = True) -> Sequence[Ask]:
    return [_rewriting(bench.model(bench.base, Generates), context=context)]


def whole(seed: int, context: bool = True) -> dict[str, Any]:
    """The training of a seed that goes through all stages; what is asked without page and section has one, with the margin that works."""
    return _settings(seed) if context else _settings(seed, context=False, margin=_SURE)


def _supervised(bench: RewriteBench, *, context: bool = True) -> Sequence[Ask]:
    """The first stage of each seed's training."""
    return [_rewriting(bench.model(_sft(bench, seed, context), Generates), context=context) for seed in SEEDS]


def _sft(bench: RewriteBench, seed: int, context: bool = True) -> str:
    _, folder = bench.trained(whole(seed, context))
    base = bench.base.removeprefix("local/")
    return f"local/{base}+{folder / 'sft' / 'model'}"


def _adaqr(bench: RewriteBench, *, context: bool = True, **own: Any) -> Sequence[Ask]:
    """Both stages. A variant shares the first stage and the candidates of the plain training of its seed."""
    asks = []
    for seed in SEEDS:
        model, folder = bench.trained(whole(seed, context))
        if own:
            model, _ = bench.trained(_settings(seed, context=context, like=str(folder), **own))
        asks.append(_rewriting(bench.model(model, Generates), context=context))
    return asks


def _best(pick: Pick, bench: RewriteBench, *, context: bool = True) -> Sequence[Ask]:
    """One of K rewrites that the first stage samples."""
    return [_picking(pick, bench, seed, context) for seed in SEEDS]


def _picking(pick: Pick, bench: RewriteBench, seed: int, context: bool) -> Ask:
    model = bench.model(_sft(bench, seed, context), Generates, seed)
    facts = {"seed": seed, "folder": bench.trained(whole(seed, context))[1]}

    async def ask(topic: Topic, tally: Tally) -> Sequence[Query]:
        if not topic.query.history:
            return [topic.query]
        shown = topic.query if context else replace(topic.query, context="")
        texts = await sampled(model.through(tally.around), shown, k=_K, temperature=1.0, tokens=_HISTORY)
        if not texts:
            return [topic.query]
        text = await pick(bench, {**facts, "tally": tally}, replace(topic, query=shown), texts)
        return [replace(topic.query, text=text, parent=topic.query.text)]

    return ask


async def _learned(bench: RewriteBench, facts: Mapping[str, Any], topic: Topic, texts: Sequence[str]) -> str:
    """What the reward model likes best (AdaRewriter's form)."""
    values = RewriteScorer.load(facts["folder"] / "scorer.json").scores(topic.query, texts)
    return texts[max(range(len(texts)), key=lambda place: values[place])]


async def _retrieved(bench: RewriteBench, facts: Mapping[str, Any], topic: Topic, texts: Sequence[str]) -> str:
    """What finds the best-scored passage."""
    scores = await best_scores(bench.retriever, topic, texts)
    return texts[max(range(len(texts)), key=lambda place: scores[place])]


async def best_scores(retriever: Retriever, topic: Topic, texts: Sequence[str]) -> list[float]:
    """Of each rewrite of a topic's question the score of the best passage that it finds, 0 where it finds none."""
    rankings = await retriever.retrieve([replace(topic.query, text=text) for text in texts], 1)
    return [ranking.hits[0].scores[-1].value if ranking.hits else 0.0 for ranking in rankings]


async def _one(bench: RewriteBench, facts: Mapping[str, Any], topic: Topic, texts: Sequence[str]) -> str:
    """The first: a single sample."""
    return texts[0]


async def _knowing(bench: RewriteBench, facts: Mapping[str, Any], topic: Topic, texts: Sequence[str]) -> str:
    """The best by AdaQR's reward, which reads the answer: an upper bound."""
    reward = answer_reward(bench, bench.retriever, facts["tally"])
    values = await reward.of(topic.query, texts, topic.answers[0])
    return texts[max(range(len(texts)), key=lambda place: values[place])]


def answer_reward(bench: RewriteBench, retriever: Retriever, tally: Tally, **settings: Any) -> AnswerReward:
    """The reward as the trainings of these rows make it, with settings of its own where some are given."""
    return AnswerReward(
        bench.model(bench.base, ForcedScoring).through(tally.around),
        retriever,
        k=_ADAQR["passages"],
        tokens=_ADAQR["passage_tokens"],
        history_tokens=_ADAQR["reader_history_tokens"],
        **settings,
    )


async def _seeing(bench: RewriteBench, facts: Mapping[str, Any], topic: Topic, texts: Sequence[str]) -> str:
    """The one whose relevant passage stands first: the upper bound of choosing."""
    values = await reciprocal_ranks(bench.retriever, topic, texts)
    return texts[max(range(len(texts)), key=lambda place: values[place])]


def _by_rewriter(name: str, bench: RewriteBench) -> Sequence[Ask]:
    """Any rewriter by its id; what it gives beside the original."""
    maker: Any = registry.find("rewriter", REWRITERS, name)
    needs = getattr(maker, "needs", None)
    model = bench.model(bench.base, needs) if needs else None

    async def ask(topic: Topic, tally: Tally) -> Sequence[Query]:
        rewriter = maker(model.through(tally.around)) if model else maker()
        found = await rewriter.rewrite(topic.query)
        return [query for query in found if query.text != topic.query.text]

    return [ask]


def _both(name: str) -> tuple[Row, Row]:
    """A rewriter's queries alone, and fused with the original."""
    ask = partial(_by_rewriter, name)
    group = "b" if getattr(registry.find("rewriter", REWRITERS, name), "needs", None) else "given"
    return Row(name, ask, group), Row(f"{name}-fused", ask, group, original=2.0)


def _trained_row(name: str, asks: Callable[[RewriteBench], Sequence[Ask]], group: str = "c", **own: Any) -> Row:
    return Row(name, asks, group, settings={"trained": [_settings(seed, **own) for seed in SEEDS]})


def _bare(name: str, asks: Callable[..., Sequence[Ask]], group: str = "c", **own: Any) -> Row:
    """The same without page and section."""
    return _trained_row(f"{name}-bare", partial(asks, context=False), group, context=False, **own)


ROWS: Final[Mapping[str, Row]] = {
    row.name: row
    for row in (
        Row("original", _given(lambda topic: topic.query.text), "given"),
        Row("history", _given(lambda topic: " ".join((*topic.query.history, topic.query.text))), "given"),
        Row("context", _given(_context), "given"),
        Row("human", _given(lambda topic: str(topic.facts.get("rewrite") or topic.query.text)), "given"),
        Row("untrained", _untrained, "b"),
        Row("untrained-bare", partial(_untrained, context=False), "b"),
        _trained_row("sft", _supervised),
        _bare("sft", _supervised, margin=_SURE),
        _trained_row("adaqr", _adaqr),
        _bare("adaqr-margin", _adaqr, margin=_SURE),
        _bare("adaqr-shuffled", partial(_adaqr, **_SHUFFLED), "control", **_SHUFFLED),
        _bare("adaqr-gold", partial(_adaqr, reward="gold-passage"), "control", reward="gold-passage"),
        _trained_row("adaqr-shuffled", partial(_adaqr, shuffled=True), "control", shuffled=True),
        _trained_row("adaqr-gold", partial(_adaqr, reward="gold-passage"), "control", reward="gold-passage"),
        _trained_row("adaqr-margin", partial(_adaqr, margin=_SURE), margin=_SURE),
        _trained_row("adaqr-expected", partial(_adaqr, reward="expected-nll"), reward="expected-nll"),
        _trained_row("best-of", partial(_best, _learned)),
        _trained_row("best-of-retrieval", partial(_best, _retrieved), "control"),
        _trained_row("one-sample", partial(_best, _one), "control"),
        _trained_row("best-of-answer", partial(_best, _knowing), "control"),
        _trained_row("best-of-gold", partial(_best, _seeing), "control"),
        _bare("one-sample", partial(_best, _one), "control", margin=_SURE),
        _bare("best-of", partial(_best, _learned), margin=_SURE),
        _bare("best-of-retrieval", partial(_best, _retrieved), "control", margin=_SURE),
        _bare("best-of-gold", partial(_best, _seeing), "control", margin=_SURE),
        *_both("statistical"),
        *_both("keywords"),
        *_both("hyde"),
        *_both("step-back"),
        *_both("decompose"),
    )
}
