"""A retriever is trained for queries alone: it ranks better, its documents stay its base's, every switch does what it says."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.acl import write_acl, year

from litrag.core.errors import BadInput
from litrag.core.events import silent
from litrag.core.options import own_settings
from litrag.core.settings import load_settings
from litrag.core.store import RequestCache
from litrag.core.sync import run
from litrag.corpora import load
from litrag.models.gateway import Gateway
from litrag.models.weights import documents_model
from litrag.training.collection import Collection
from litrag.training.config import TrainConfig
from litrag.training.kit import train
from litrag.training.run import Trained
from litrag.training.selection import consistent, false_negatives, pruned, sufficient

pytest.importorskip("sentence_transformers")


@pytest.fixture
def acl(tmp_path: Path) -> str:
    return f"acl={write_acl(tmp_path / 'acl', few_words=True)}"


def taught(
    acl: str, base: Path, folder: Path, *, tuning: Any = "head", own: dict[str, Any] | None = None, **more: Any
) -> Trained:
    values = {
        "learning_rate": 1e-2,
        "max_steps": 20,
        "batch_size": 4,
        "held_out": 0.0,
        "device": "cpu",
        "save_every": 50,
    }
    config = TrainConfig(
        recipe="retriever",
        base=f"local/{base}",
        dataset=f"{acl}:train",
        tuning=tuning,
        own=own or {},
        **{**values, **more},
    )
    return train(config, folder)


def collection(acl: str, base: Path) -> Collection:
    return run(Collection.of(f"{acl}:train", f"local/{base}", silent))


def embedded(model: str, texts: list[str], kind: Any) -> Any:
    gateway = Gateway(load_settings(embed_model=model), cache=RequestCache(":memory:"))
    return run(gateway.embedder().embed(texts, kind=kind))


def chance(acl: str, base: Path, model: str) -> float:
    """The mean log-probability of the training's positives."""
    data = collection(acl, base)
    queries = embedded(model, [sample.query.text for sample in data.samples], "query")
    total = 0.0
    for sample, query in zip(data.samples, queries, strict=True):
        scores = np.where(data.allowed(sample), data.index.vectors @ query / 0.03, -np.inf)
        total += float(np.mean(scores[list(sample.positives)]) - np.logaddexp.reduce(scores))
    return total / len(data.samples)


@pytest.mark.parametrize(
    ("tuning", "own"),
    [("head", {}), ("head", {"lexical": True}), ("lora", {}), ("lora", {"lexical": True}), ("full", {})],
)
def test_what_is_trained_ranks_its_positives_better_and_leaves_documents_alone(
    acl: str, tiny_embedder: Path, tmp_path: Path, tuning: str, own: dict[str, Any]
) -> None:
    speed = {"head": 1e-2, "lora": 3e-3, "full": 1e-3}[tuning]  # the tiny tokenizer differs from session to session
    more = {"learning_rate": speed, "max_steps": 60, "batch_size": 8}
    result = taught(acl, tiny_embedder, tmp_path / "run", tuning=tuning, own=own, **more)
    assert result.facts["queries"] == 8, "the citing papers of 2017 and 2018"
    assert documents_model(result.model) == f"local/{tiny_embedder}"
    assert chance(acl, tiny_embedder, result.model) > chance(acl, tiny_embedder, f"local/{tiny_embedder}") + 0.1
    texts = ["the cat sat", "a query"]
    base = [embedded(f"local/{tiny_embedder}", texts, kind) for kind in ("document", "query")]
    mine = [embedded(result.model, texts, kind) for kind in ("document", "query")]
    assert np.array_equal(base[0], mine[0])
    assert np.abs(base[1] - mine[1]).max() > 1e-3
    assert np.allclose(np.linalg.norm(mine[1], axis=1), 1, atol=1e-5)


def test_an_untrained_head_changes_nothing(tiny_embedder: Path, tmp_path: Path) -> None:
    from litrag.models.query_head import QueryHead

    QueryHead(16).save(tmp_path / "head")
    texts = ["the cat sat on the mat", "a query is rewritten"]
    with_head = embedded(f"local/{tiny_embedder}+{tmp_path / 'head'}", texts, "query")
    assert np.allclose(with_head, embedded(f"local/{tiny_embedder}", texts, "query"), atol=1e-6)


def test_the_same_seed_gives_the_same_head_and_held_out_queries_only_measure(
    acl: str, tiny_embedder: Path, tmp_path: Path
) -> None:
    results = [taught(acl, tiny_embedder, tmp_path / name, held_out=0.4, seed=3) for name in ("a", "b")]
    files = [(tmp_path / name / "model" / "query_head.safetensors").read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]
    assert results[0].facts["held_out"] + results[0].facts["queries"] == 8
    assert results[0].loss_before != results[0].loss_after


def test_nothing_newer_than_the_query_stands_against_it(acl: str, tiny_embedder: Path) -> None:
    """The vectors that training sees are those that retrieval may return, so that it learns nothing from the future."""
    data = collection(acl, tiny_embedder)
    assert {year(document.id) for document in data.index.documents} == set(range(2012, 2019)), (
        "none after the last topic"
    )
    for sample in data.samples:
        (own,) = sample.query.exclude
        allowed = {data.document(int(place)).id for place in np.flatnonzero(data.allowed(sample))}
        assert own not in allowed
        assert max(map(year, allowed)) <= year(own)
        assert sample.query.before == date(year(own) + 1, 1, 1)


async def test_filters_of_pairs(acl: str, tiny_embedder: Path) -> None:
    data = await Collection.of(f"{acl}:train", f"local/{tiny_embedder}", silent)
    samples = list(data.samples)
    ranks = await data.hybrid_ranks(samples, 3)
    kept = consistent(samples, ranks)
    assert all(
        set(k.positives) <= set(found) for k, found in zip(kept, ranks, strict=False) if len(kept) == len(samples)
    )
    assert 0 < sum(len(s.positives) for s in kept) < sum(len(s.positives) for s in samples)
    half = pruned(samples, data, 0.5)
    assert sum(len(s.positives) for s in half) == sum(len(s.positives) for s in samples) - 20
    alike = false_negatives(samples[0], data, 0.999999)
    assert alike[list(samples[0].positives)].all(), "a positive is like itself"
    assert false_negatives(samples[0], data, -1.0).all()


@pytest.mark.models
async def test_sufficiency_prefers_the_document_that_answers(acl: str, tiny_embedder: Path) -> None:
    data = await Collection.of(f"{acl}:train", f"local/{tiny_embedder}", silent)
    samples = list(data.samples)[:2]
    kept = await sufficient(samples, data, "local/SmolLM2-135M-Instruct", 0.5)
    assert [sample.query.text for sample in kept] == [sample.query.text for sample in samples]
    assert sum(len(sample.positives) for sample in kept) == 5
    assert all(sample.positives for sample in kept)


def test_settings_are_checked_and_unknown_ones_name_those_there_are(
    acl: str, tiny_embedder: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    assert own_settings(["prune=0.2", "lexical=true", "scorer=local/x"]) == {
        "prune": 0.2,
        "lexical": True,
        "scorer": "local/x",
    }
    with pytest.raises(BadInput, match="--set 'prune': write NAME=VALUE"):
        own_settings(["prune"])
    with pytest.raises(
        BadInput, match=r"recipe retriever, setting prun: .*; there is: temperature \(0.03\), weight_decay"
    ):
        taught(acl, tiny_embedder, tmp_path / "a", own={"prun": 0.2})
    with pytest.raises(BadInput, match="no query is left to learn from; loosen consistency"):
        taught(acl, tiny_embedder, tmp_path / "b", held_out=0.999)
    with pytest.raises(BadInput, match="is no plain embedding model"):
        taught(acl, tiny_llama, tmp_path / "c")
    assert load(f"{acl}:new").topics, "works that no earlier list cites"
