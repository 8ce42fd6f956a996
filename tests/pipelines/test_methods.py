"""A reranker by its id: its models from the gateway, its settings checked, its seed the run's."""

from __future__ import annotations

from typing import Any

import pytest

from litrag.core.errors import BadInput, ModelUnavailable, UnknownName
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.models.gateway import Gateway
from litrag.models.scripted import ScriptedBackend
from litrag.pipelines.methods import auto_reranker, built_reranker, reranker_settings
from litrag.rerankers import RERANKERS
from litrag.rerankers.insertrank import InsertRank
from litrag.rerankers.similarity import Similarity


def gateway(**settings: Any) -> Gateway:
    values = {"model": "scripted/m", "embed_model": "scripted/e", **settings}
    return Gateway(Settings(**values), cache=RequestCache(":memory:"), backend=ScriptedBackend())


@pytest.mark.parametrize("name", RERANKERS)
def test_every_reranker_is_built_from_its_id_and_takes_its_own_defaults_as_settings(name: str) -> None:
    defaults: Any = {key: value for key, value in reranker_settings(name).items() if value is not None}
    made = built_reranker(name, gateway(), defaults)
    assert {key: getattr(made, key) for key in defaults} == defaults


def test_settings_reach_the_reranker_and_the_seed_is_the_runs_unless_told() -> None:
    made = built_reranker("insertrank", gateway(seed=7), {"window": 20, "scale": "minmax"})
    assert isinstance(made, InsertRank)
    assert (made.window, made.scale, made.seed) == (20, "minmax", 7)
    told = built_reranker("insertrank", gateway(seed=7), {"seed": 3})
    assert isinstance(told, InsertRank)
    assert told.seed == 3


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("insertrank", {"windows": 20}, "no setting 'windows'; there is: source (''), tokens (300)"),
        ("insertrank", {"window": "all"}, "setting window=all: Input should be a valid integer"),
        ("insertrank", {"scale": "log"}, "setting scale=log: Input should be 'raw', 'minmax', 'z' or 'rank'"),
        ("insertrank", {"window": -1}, "window -1 must be 0"),
        ("insertrank", {"stride": 0}, "stride 0 must be 1 or more"),
        ("first", {"window": 30}, "letters go from 2 to 26"),
        ("groupwise", {"group": 0}, "group 0 must be 1 or more"),
        ("setwise", {"children": 0}, "children 0 must be 1 or more"),
        ("pairwise", {"passes": 0}, "passes 0 must be 1 or more"),
        ("maxsim", {"alpha": 2}, "must be in"),
        ("query-likelihood", {"calibration": 2}, "calibration 2.0 must be in"),
        ("none", {"k": 1}, "there is: none"),
    ],
)
def test_a_setting_that_cannot_be_is_bad_input_before_any_call(name: str, options: Any, line: str) -> None:
    with pytest.raises(BadInput) as raised:
        built_reranker(name, gateway(), options)
    assert line in str(raised.value)


def test_auto_goes_by_what_there_is(no_weights: None) -> None:
    assert auto_reranker(gateway()) == "insertrank"
    assert auto_reranker(gateway(model=None)) == "similarity"
    assert isinstance(built_reranker("auto", gateway(model=None)), Similarity)
    assert auto_reranker(gateway(model=None, embed_model=None)) == "none", "no weights here"


def test_what_lacks_is_named_before_any_call(no_weights: None) -> None:
    with pytest.raises(UnknownName, match="no reranker named 'best'"):
        built_reranker("best", gateway())
    with pytest.raises(BadInput, match="no model for the role rerank; set --model or --rerank-model"):
        built_reranker("setwise", gateway(model=None))
    with pytest.raises(ModelUnavailable, match="litrag setup"):
        built_reranker("similarity", gateway(embed_model=None))
