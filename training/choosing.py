"""Which examples to learn from, by their gradients in the model before training: those that take effort, or those that help others.

Effort is the norm of an example's gradient (STAFF, arXiv 2410.01296, section 3): much effort, much to learn, or noise. Regions of like effort
are therefore all kept, each by its share of the whole effort. Influence is the inner product with the mean gradient of other examples
(TracIn, arXiv 2002.08484, with one checkpoint): what lowers their loss, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    import torch

__all__ = ["Choice", "by_effort", "by_influence", "chosen"]

Choice: TypeAlias = Literal["", "effort", "influence"]
_REGIONS: Final = 4
_JUDGES: Final = 5  # one in so many examples judges the influence of the others


def chosen(
    model: Any,
    rows: Sequence[Mapping[str, Sequence[int]]],
    how: Choice,
    n: int,
    batch: Callable[[Sequence[Mapping[str, Sequence[int]]]], Mapping[str, Any]],
) -> list[int]:
    """Places of `n` of the rows, in their order. `batch` makes the model's input of rows; one gradient a row is computed. Under "influence"
    every fifth row only judges, so that at most four fifths are chosen."""
    if not how or n >= len(rows):
        return list(range(len(rows)))
    if how == "effort":
        return by_effort([float(_gradient(model, batch([row])).norm()) for row in rows], n)
    judges = [place for place in range(len(rows)) if place % _JUDGES == 0]
    wanted = sum(_gradient(model, batch([rows[place]])) for place in judges) / len(judges)
    others = [place for place in range(len(rows)) if place % _JUDGES]
    values = [float(_gradient(model, batch([rows[place]])) @ wanted) for place in others]
    return [others[place] for place in by_influence(values, n)]


def by_effort(values: Sequence[float], n: int) -> list[int]:
    """Places of `n` values, in their order: of four regions of like values each gives its share of the sum of all values, the first of its
    places; what a region lacks the next harder one gives, then any."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    size = -(-len(order) // _REGIONS)
    regions = [sorted(order[start : start + size]) for start in range(0, len(order), size)]
    whole = sum(values) or 1.0
    kept: list[int] = []
    owed = 0.0
    for region in regions:
        owed += n * sum(values[place] for place in region) / whole
        take = min(len(region), round(owed))
        kept += region[:take]
        owed -= take
    rest = [place for place in reversed(order) if place not in set(kept)]
    return sorted([*kept, *rest][:n])


def by_influence(values: Sequence[float], n: int) -> list[int]:
    """Places of the `n` greatest values, in their order."""
    return sorted(sorted(range(len(values)), key=lambda place: -values[place])[:n])


def _gradient(model: Any, inputs: Mapping[str, Any]) -> torch.Tensor:
    """The gradient of the loss of one input by all weights that are trained, as one vector; dropout is off."""
    import torch

    weights = [weight for weight in model.parameters() if weight.requires_grad]
    training = model.training
    model.eval()
    loss = model(**{name: tensor.to(weights[0].device) for name, tensor in inputs.items()}).loss
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    model.train(training)
    return torch.cat(
        [torch.zeros(w.numel()) if g is None else g.flatten() for g, w in zip(found, weights, strict=True)]
    )
