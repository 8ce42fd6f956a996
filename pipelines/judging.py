"""What judges a citation before the verify model is asked: chosen by the settings, with the score below which a citation is unsupported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from litrag.core.errors import BadInput
from litrag.core.protocols import ForcedScoring, Generates, PairScoring
from litrag.core.settings import Settings
from litrag.models.gateway import Gateway
from litrag.pipelines.methods import why_no_embedder
from litrag.pipelines.support import LEAST, Both, Likelihood, Relevance, Support
from litrag.pipelines.verifying import Verifier

__all__ = ["LEAST_LIKELY", "judges", "verifier_of"]

LEAST_LIKELY: Final = 0.5  # of `Likelihood`: the source does not make the sentence likelier


def verifier_of(gateway: Gateway, texts: Iterable[str], *, ask: bool = True, own: str = "") -> Verifier:
    """The verifier that the settings ask for; `texts` are those of the works, `ask` says whether the verify model may be asked for verdicts, which one that
    scores is not; `own` is the text of the authors' own work. Raises BadInput, ModelUnavailable, CapabilityMissing."""
    support, least = _support(gateway, texts)
    model = gateway.resolve("verify", needs=Generates) if ask and judges(gateway) else None
    return Verifier(model, support, least, _english(gateway.settings), own)


def _english(settings: Settings) -> bool:
    return settings.language.strip().casefold() in ("english", "en")


def judges(gateway: Gateway) -> bool:
    """Whether the verify model is asked for verdicts."""
    scores = gateway.has("support") and not gateway.settings.support_model
    return gateway.has("verify") and not scores and Generates in gateway.powers("verify")


def _support(gateway: Gateway, texts: Iterable[str]) -> tuple[Support | None, float]:
    settings: Settings = gateway.settings
    given = settings.support_least
    match settings.support:
        case "none":
            return None, LEAST
        case "likelihood":
            found = Likelihood(gateway.resolve("support", needs=ForcedScoring))
            return found, LEAST_LIKELY if given is None else given
        case "cross-encoder":
            if given is None:
                raise BadInput(
                    "the scale of a cross-encoder is its own: say with support_least below which score (of 0 to 1, by the logistic) a citation is unsupported"
                )
            return Relevance(gateway.resolve("support", needs=PairScoring)), given
    if why_no_embedder(settings) or not _english(settings):  # words and cosine were measured in English
        return None, LEAST
    return Both.over(texts, gateway.embedder()), LEAST if given is None else given
