"""`litrag eval ambiguity`: fifty labelled queries, and judges that are compared with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from litrag.core.errors import BadInput, UnknownName
from litrag.evals.ambiguity import AMBIGUITY, labelled
from litrag.evals.runner import evaluate
from litrag.evals.tasks import EvalOptions


@pytest.mark.data
async def test_the_labels_are_of_queries_that_are_there(tmp_path: Path) -> None:
    assert len(labelled().topics) == 50
    phrases = [topic.query.text for topic in labelled().topics if topic.id.startswith("acl-keyphrases")]
    assert len(phrases) == 20
    assert all(len(phrase.split()) <= 3 for phrase in phrases), "what was labelled is the keyphrase, not the abstract"
    evaluation = AMBIGUITY.evaluation(EvalOptions(methods=("rules", "leans")))
    results = await evaluate(evaluation, tmp_path / "out")
    always, rules, _ = results.systems
    share = sum(topic.facts["ambiguous"] for topic in evaluation.dataset.topics) / 50
    assert always.metrics["agreement"].value == pytest.approx(share)
    assert rules.metrics["agreement"].value > always.metrics["agreement"].value
    with pytest.raises(UnknownName, match="judge of ambiguity"):
        AMBIGUITY.evaluation(EvalOptions(methods=("oracle",)))


def test_another_data_set_is_refused() -> None:
    with pytest.raises(BadInput, match="its own labelled queries"):
        AMBIGUITY.evaluation(EvalOptions("scifact"))
