"""Which models judge citations, by the settings."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.author import Author

from litrag.core.errors import BadInput
from litrag.core.settings import Settings
from litrag.core.store import RequestCache
from litrag.models.gateway import Gateway
from litrag.pipelines.judging import LEAST_LIKELY, verifier_of
from litrag.pipelines.support import Both, Likelihood, Relevance


def gateway(**settings: Any) -> Gateway:
    values = {"embed_model": "scripted/e", "verify_model": "scripted/v", **settings}
    return Gateway(Settings(**values), cache=RequestCache(":memory:"), backend=Author())


def test_words_and_cosine_before_the_verify_model() -> None:
    verifier = verifier_of(gateway(), [])
    assert isinstance(verifier.support, Both)
    assert verifier.model is not None
    assert verifier_of(gateway(), [], ask=False).model is None


def test_a_model_that_scores_gives_no_verdicts() -> None:
    verifier = verifier_of(gateway(support="likelihood"), [])
    assert isinstance(verifier.support, Likelihood)
    assert (verifier.model, verifier.least) == (None, LEAST_LIKELY)


def test_a_model_of_its_own_scores_before_the_verify_model_judges() -> None:
    verifier = verifier_of(gateway(support="cross-encoder", support_model="scripted/s", support_least=0.4), [])
    assert isinstance(verifier.support, Relevance)
    assert verifier.support.model.model == "scripted/s"  # type: ignore[attr-defined]
    assert verifier.model is not None
    assert verifier.model.model == "scripted/v"  # type: ignore[attr-defined]
    assert verifier.least == 0.4


def test_a_cross_encoder_needs_a_threshold() -> None:
    with pytest.raises(BadInput, match="support_least"):
        verifier_of(gateway(support="cross-encoder"), [])


@pytest.mark.parametrize(("support", "role"), [("auto", None), ("none", None), ("likelihood", "scripted/v")])
def test_the_role_is_there_where_it_is_needed(support: str, role: str | None) -> None:
    assert Settings(verify_model="scripted/v", support=support).role_model("support") == role  # type: ignore[arg-type]
