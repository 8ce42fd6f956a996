"""What the trainer scores is what the reranker of that name scores; training makes it better at what it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.beir import write_beir, write_learnable

from litrag.core.errors import BadInput
from litrag.core.protocols import ForcedScoring, NextTokenLogprobs, PairScoring
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.core.types import Document, Hit, Query, Ranking, Score
from litrag.models.gateway import Gateway
from litrag.models.weights import resolve_local
from litrag.rerankers.cross_encoder import CrossEncoder
from litrag.rerankers.first_token import First, YesNo
from litrag.rerankers.query_likelihood import QueryLikelihood
from litrag.training.config import TrainConfig
from litrag.training.judged import Judged, judged
from litrag.training.kit import train
from litrag.training.pairs import PairEncoder, pair_scores
from litrag.training.reranker import RerankerSettings, _balanced, _chosen, _Encoder, _Padding, _scores
from litrag.training.tuning import load_tuned

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's own

TEXTS = (
    *("Tides move the sand of the bay.", "Snails graze on rocks.", "Storms reshape dunes.", "Rain fills the pond."),
    *("Moss grows on the north side.", "Gulls nest on the cliff."),
)
QUERY = Query("what moves the sand")
SMALL = "local/SmolLM2-135M-Instruct"


def shelf() -> Judged:
    hits = tuple(
        Hit(Document(f"d{i}", "", text), (Score(9.0 - 2 * i, "bm25", QUERY.text, i + 1),))
        for i, text in enumerate(TEXTS)
    )
    return Judged(Ranking(QUERY, hits), (3, 0, 1, 0, 0, 0), "tides")


def config(base: str, dataset: str = "", **more: Any) -> TrainConfig:
    values = {"recipe": "reranker", "device": "cpu", "max_steps": 4, "batch_size": 2, "learning_rate": 1e-2}
    return TrainConfig(base=base, dataset=dataset, **{**values, **more})


def trainers(base: str, **own: Any) -> dict[str, float]:
    """Document -> the trainer's score of it, the model as it came; of a group that is the first four candidates, in the first stage's order."""
    import torch

    tuned = load_tuned(config(base, lora_dropout=0.0))
    settings = RerankerSettings(group=4, tokens=100, **own)
    encoder, topic = _Encoder(tuned, settings, base), shelf()
    places = [0, 1, 2, 3]
    group = encoder.group(topic, next(seed for seed in range(999) if _chosen(topic, 4, seed) == places))
    batch = _Padding(0)([{"group": group}])
    mask = batch["attention_mask"]
    with torch.no_grad():
        logits = tuned.model.eval()(
            input_ids=batch["input_ids"], attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)
        ).logits
    found = _scores(logits, batch["input_ids"], group)
    return {f"d{place}": float(value) for place, value in zip(places, found, strict=True)}


def gate(model: str) -> Gateway:
    return Gateway(Settings(rerank_model=model), cache=RequestCache(":memory:"))


async def test_likelihoods_are_the_rerankers(tiny_llama: Path) -> None:
    base = f"local/{tiny_llama}"
    ranked = await QueryLikelihood(gate(base).resolve("rerank", needs=ForcedScoring), tokens=100).rerank(
        shelf().ranking
    )
    theirs = {hit.document.id: hit.score("query-likelihood").value for hit in ranked.hits}
    ours = trainers(base, form="likelihood")
    assert ours == pytest.approx({name: theirs[name] for name in ours}, abs=1e-3)


@pytest.mark.models
async def test_yes_and_no_and_letters_are_the_rerankers() -> None:
    """Also with scores beside the texts, which stand on one scale in a group, in a head, and in the whole ranking."""
    model = gate(SMALL).resolve("rerank", needs=NextTokenLogprobs)
    for scores in ("none", "own"):
        ranked = await YesNo(model, tokens=100, scores=scores).rerank(shelf().ranking)  # type: ignore[arg-type]
        theirs = {hit.document.id: hit.score("yes-no").value for hit in ranked.hits}
        ours = trainers(SMALL, form="yes-no", scores=scores)
        assert ours == pytest.approx({name: theirs[name] for name in ours}, abs=1e-2)
        first = await First(model, tokens=100, scores=scores).rerank(shelf().ranking, depth=4)  # type: ignore[arg-type]
        letters = trainers(SMALL, form="first", scores=scores)
        assert first.ids[:4] == tuple(sorted(letters, key=lambda name: -letters[name]))


async def test_pairs_are_the_cross_encoders(tiny_cross_encoder: Path) -> None:
    """Also where they are padded, and where a long text is cut."""
    import torch

    base = f"local/{tiny_cross_encoder}"
    encoder = PairEncoder(config(base, tuning="full"), tokens=100)
    topic = shelf()
    topic = Judged(
        Ranking(QUERY, (*topic.ranking.hits, Hit(Document("d6", "", "the cat sat on the mat " * 30)))),
        (*topic.grades, 0),
        "",
    )
    batch = encoder.padding([{"group": encoder.group(topic, range(7))}])
    with torch.no_grad():
        encoder.network.eval()
        (ours,) = pair_scores(encoder.network, batch)
    ranked = await CrossEncoder(gate(base).resolve("rerank", needs=PairScoring), tokens=100).rerank(topic.ranking)
    theirs = {hit.document.id: hit.score("cross-encoder").value for hit in ranked.hits}
    assert [float(value) for value in ours] == pytest.approx([theirs[f"d{i}"] for i in range(7)], abs=1e-4)


async def test_pairs_are_fitted_to_what_the_cross_encoder_will_take(
    write_cross_encoder: Callable[[Path, int, int], Path], tmp_path: Path
) -> None:
    """An encoder of 256 positions whose tokenizer takes 160 tokens a pair."""
    base = f"local/{write_cross_encoder(tmp_path / 'narrow', 1, 160)}"
    encoder = PairEncoder(config(base, tuning="full"), tokens=150)
    assert encoder.measure.context == 160
    long = Judged(Ranking(QUERY, (Hit(Document("d", "", "the cat sat on the mat " * 30)),)), (1,), "")
    (row,) = encoder.group(long, [0]).features
    measure = gate(base).resolve("rerank", needs=PairScoring).measure
    assert len(row["input_ids"]) < measure.context == 160, "fitted, not cut"


async def test_a_cross_encoder_is_trained_on(tiny_cross_encoder: Path, tmp_path: Path) -> None:
    """Killed or not, the result is one folder that ranks by its model string, otherwise than its base."""
    write_learnable(tmp_path / "readers")
    values = {"max_steps": 6, "tuning": "full", "held_out": 0.0, "own": {"form": "pair", "group": 4, "tokens": 30}}
    settings = config(f"local/{tiny_cross_encoder}", str(tmp_path / "readers"), save_every=2, **values)
    result = train(settings, tmp_path / "run")
    assert result.kind == "full"
    found = [await ranked_by(name) for name in (result.model, f"local/{tiny_cross_encoder}")]
    assert found[0] != found[1]
    again = train(settings, tmp_path / "again")
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("run", "again")]
    assert weights[0] == weights[1]
    assert await ranked_by(again.model) == found[0]


@pytest.mark.models
async def test_an_encoder_becomes_a_cross_encoder(tmp_path: Path) -> None:
    """A sentence-transformers folder, which gets a head, and learns."""
    base = "local/all-MiniLM-L6-v2"
    assert resolve_local(base).kind == "embedding"
    write_learnable(tmp_path / "readers")
    own = {"form": "pair", "group": 4, "tokens": 30}
    values = {"max_steps": 20, "tuning": "full", "learning_rate": 1e-4, "held_out": 0.0, "own": own}
    result = train(config(base, str(tmp_path / "readers"), **values), tmp_path / "run")
    assert resolve_local(result.model).kind == "cross-encoder"
    found = losses(tmp_path / "run")
    assert sum(found[-5:]) < 0.7 * sum(found[:5]), "it learns"
    assert sorted(await ranked_by(result.model)) == [f"d{i}" for i in range(6)]


async def ranked_by(model: str) -> dict[str, float]:
    ranked = await CrossEncoder(gate(model).resolve("rerank", needs=PairScoring)).rerank(shelf().ranking)
    assert ranked.placed == 1.0
    return {hit.document.id: hit.score("cross-encoder").value for hit in ranked.hits}


def test_a_small_data_set_is_asked_as_often_as_a_large_one() -> None:
    one = shelf()
    many = [Judged(one.ranking, one.grades, "large") for _ in range(5)]
    drawn = _balanced([one, *many])
    assert [topic.dataset for topic in drawn] == ["tides"] * 5 + ["large"] * 5


def losses(folder: Path) -> list[float]:
    rows = [json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_judgements_become_grades(tmp_path: Path) -> None:
    """Forty papers in four fields."""
    topics = judged(str(write_beir(tmp_path / "forest")))
    assert len(topics) == 4
    assert all(max(topic.grades) == 2 for topic in topics)


def test_a_training_learns_keeps_a_row_a_step_and_counts_its_queries(tiny_llama: Path, tmp_path: Path) -> None:
    write_learnable(tmp_path / "readers")
    own = {"form": "likelihood", "group": 4, "tokens": 40, "temperature": 0.2}
    values = {"max_steps": 30, "held_out": 0.4, "tuning": "full", "learning_rate": 3e-3, "own": own}
    result = train(config(f"local/{tiny_llama}", str(tmp_path / "readers"), **values), tmp_path / "run")
    found = losses(tmp_path / "run")
    assert len(found) == 30
    assert sum(found[-6:]) < 0.5 * sum(found[:6]), "it learns"
    assert result.facts["queries"] + result.facts["held_out"] >= 4
    assert result.kind == "full"


def test_two_runs_of_a_seed_give_one_model(tiny_llama: Path, tmp_path: Path) -> None:
    write_beir(tmp_path / "forest")
    own = {"form": "likelihood", "group": 3, "tokens": 20}
    settings = config(f"local/{tiny_llama}", str(tmp_path / "forest"), held_out=0.0, own=own, save_every=2)
    first, second = (train(settings, tmp_path / name) for name in ("a", "b"))
    weights = [(tmp_path / name / "model" / "adapter_model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]
    assert (first.steps, second.steps) == (4, 4)


def test_targets_of_a_teacher_are_its_scores(tiny_llama: Path, tmp_path: Path, home: Path) -> None:
    from litrag.training.teaching import taught

    topics = taught([shelf()], "query-likelihood", f"local/{tiny_llama}", lambda event: None)
    (topic,) = topics
    assert (min(topic.grades), max(topic.grades)) == (0.0, 3.0)
    assert topic.ranking.ids == shelf().ranking.ids, "the candidates stay where they were"
    with pytest.raises(BadInput, match="teacher none gives no scores"):
        taught([shelf()], "none", f"local/{tiny_llama}", lambda event: None)


@pytest.mark.parametrize(
    ("base", "more", "own", "told"),
    [
        ("tiny_llama", {}, {"form": "best"}, "setting form"),
        ("tiny_llama", {}, {"depth": 3}, "setting depth"),
        ("tiny_llama", {}, {"form": "likelihood", "scores": "own"}, "form likelihood shows no first-stage score"),
        ("tiny_llama", {"tuning": "full"}, {"form": "pair"}, "is no plain encoder"),
        ("tiny_embedder", {}, {"form": "pair"}, "add --tuning full"),
    ],
)
def test_mistakes_are_one_line(
    base: str,
    more: dict[str, Any],
    own: dict[str, Any],
    told: str,
    tmp_path: Path,
    home: Path,
    request: pytest.FixtureRequest,
) -> None:
    write_beir(tmp_path / "forest")
    settings = config(f"local/{request.getfixturevalue(base)}", str(tmp_path / "forest"), own=own, **more)
    with pytest.raises(BadInput, match=told) as error:
        train(settings, tmp_path / "run")
    assert "\n" not in str(error.value)
