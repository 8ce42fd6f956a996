"""The losses by hand, and what each of them must not care about."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from litrag.training.ranking_losses import LOSSES, binary, listwise, margin_mse, ranknet  # noqa: E402


def test_by_hand() -> None:
    scores, targets = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([2.0, 0.0, 1.0])
    soft = torch.nn.functional.softplus
    pairs = {(1, 2): 0.0 - 1.0, (1, 3): 2.0 - 1.0, (2, 3): 2.0 - 0.0}  # ranks by target: document 0, then 2, then 1
    weights = {pair: 1 / sum(pair) for pair in pairs}
    expected = sum(weights[p] * float(soft(torch.tensor(gap))) for p, gap in pairs.items()) / sum(weights.values())
    assert float(ranknet(scores, targets)) == pytest.approx(expected, abs=1e-6)
    gaps = ((1 - 2) - 2, (1 - 0) - 1, (0 - 2) - 1)
    assert float(margin_mse(scores, targets)) == pytest.approx(sum(g * g for g in gaps) / 3, abs=1e-6)
    sure = -math.log(math.e / (math.e + math.e**2 + 1))
    second = -math.log(1 / (1 + math.e**2))
    w1, w2 = 1 + 1 / math.log2(2), 1 + 1 / math.log2(3)
    assert float(listwise(scores, targets)) == pytest.approx((w1 * sure + w2 * second) / (w1 + w2), abs=1e-6)
    shares = [1.0, 0.0, 0.5]
    logistic = [1 / (1 + math.exp(-s)) for s in (1.0, 2.0, 0.0)]
    entropy = [-(t * math.log(p) + (1 - t) * math.log(1 - p)) for t, p in zip(shares, logistic, strict=True)]
    assert float(binary(scores, targets)) == pytest.approx(sum(entropy) / 3, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_order_costs_less_and_places_do_not_matter(name: str) -> None:
    targets = torch.tensor([3.0, 1.0, 0.0, 0.0])
    good, bad = torch.tensor([3.0, 1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0, 3.0])
    loss = LOSSES[name]
    assert float(loss(good, targets)) < float(loss(bad, targets))
    shuffle = torch.tensor([2, 0, 3, 1])
    assert float(loss(bad[shuffle], targets[shuffle])) == pytest.approx(float(loss(bad, targets)), abs=1e-6)


@pytest.mark.parametrize("name", ["ranknet", "margin-mse", "listwise"])
def test_equal_targets_ask_for_nothing_of_each_other(name: str) -> None:
    targets = torch.tensor([1.0, 1.0, 0.0])
    there, back = torch.tensor([5.0, 2.0, 0.0]), torch.tensor([2.0, 5.0, 0.0])
    assert float(LOSSES[name](there, targets)) == pytest.approx(float(LOSSES[name](back, targets)), abs=1e-6)
    level = torch.zeros(3, requires_grad=True)
    LOSSES[name](level, torch.ones(3)).backward()
    assert level.grad is not None
    assert float(level.grad.abs().sum()) == 0.0, "nothing is better than anything: nothing to learn"
