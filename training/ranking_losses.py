"""Losses over the scores of one query's documents. All take `scores` (n,) and `targets` (n,), greater is better, and give a scalar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import torch

    RankingLoss: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

__all__ = ["LOSSES", "binary", "listwise", "margin_mse", "ranknet"]


def binary(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the logistic of each score with its target over the greatest target: pointwise."""
    import torch

    share = targets / targets.max().clamp(min=1e-9)
    return torch.nn.functional.binary_cross_entropy_with_logits(scores, share)


def ranknet(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """RankNet over pairs of unlike targets, each weighted by 1 / (i + j), the two ranks by target (FIRST, arXiv 2406.15657, section 3.2)."""
    import torch

    order = targets.argsort(descending=True, stable=True)
    s, t = scores[order], targets[order]
    ranks = _ranks(t).to(s.dtype)
    above = (t[:, None] > t[None, :]).to(s.dtype)
    weights = above / (ranks[:, None] + ranks[None, :])
    losses = torch.nn.functional.softplus(s[None, :] - s[:, None])
    return (weights * losses).sum() / weights.sum().clamp(min=1e-9)


def margin_mse(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of margins, the model's and the target's, over pairs of unlike targets (Margin-MSE, arXiv 2010.02666)."""
    above = (targets[:, None] > targets[None, :]).to(scores.dtype)
    gaps = (scores[:, None] - scores[None, :]) - (targets[:, None] - targets[None, :])
    return (above * gaps.square()).sum() / above.sum().clamp(min=1e-9)


def listwise(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The log-likelihood of the best order under Plackett and Luce, where rank r weighs 1 + 1 / log2(r + 1), the importance of the full
    ranking's training (arXiv 2412.14574, section 4); ranks of target 0 are no choice and weigh nothing."""
    import torch

    order = targets.argsort(descending=True, stable=True)
    s, t = scores[order], targets[order]
    rest = s.flip(0).logcumsumexp(0).flip(0)
    # equals compete with none of their own: the rest of a rank begins after all documents of its target
    last = torch.searchsorted(-t, -t, right=True)
    below = torch.cat([rest, rest.new_full((1,), float("-inf"))])[last]
    ranks = _ranks(t).to(s.dtype)
    weights = (1 + 1 / (ranks + 1).log2()) * (t > t.min()).to(s.dtype)
    losses = torch.logaddexp(s, below) - s
    return torch.where(weights > 0, weights * losses, torch.zeros_like(losses)).sum() / weights.sum().clamp(min=1e-9)


def _ranks(targets: torch.Tensor) -> torch.Tensor:
    """Ranks from 1 of targets that fall; equal ones share the first of theirs."""
    import torch

    return torch.searchsorted(-targets, -targets) + 1


LOSSES: Final[Mapping[str, RankingLoss]] = {
    "binary": binary,
    "ranknet": ranknet,
    "margin-mse": margin_mse,
    "listwise": listwise,
}
