"""`python -m litrag.evals` (make evals): the full tables into evals/results/, and from there into the docs."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from litrag.core import registry
from litrag.core.events import Event
from litrag.core.sync import run
from litrag.evals import EVALS
from litrag.evals.results import read_results
from litrag.evals.runner import evaluate
from litrag.evals.tables import markdown_table, terminal_table
from litrag.evals.tasks import EvalOptions, EvalTask

__all__ = ["TABLES", "main", "rendered"]

ROOT: Final = Path(__file__).resolve().parent.parent
_ACL: Final = ("R@10", "R@20", "R@50", "R@100", "R@500", "P@10", "nR@100", "nDCG@10", "RR", "AP")
_SCIFACT: Final = ("nDCG@10", "R@10", "R@100", "RR", "AP")
_WIKI: Final = ("R@2", "R@5", "R@10", "R@100", "nDCG@10")
_UNTRAINED: Final = (
    "bm25",
    "dense",
    "random-projection",
    "svd",
    "hybrid",
    "fields",
    "multi-query",
    "multi-query-sentences",
)
_CITED: Final = ("popularity", "bm25-popularity", "fields-popularity", "citing", "trained-citing")
_KINDS: Final = ("trained", "hard-negatives", "consistency", "margin", "pruned", "lexical", "sufficiency")
_UNLEARNED: Final = ("bm25", "query-likelihood", "query-likelihood-fused")
TABLES: Final = {
    "retrieval-scifact": (
        "retrieval",
        EvalOptions("scifact:test", (*_UNTRAINED, "maxsim", "trained"), measures=_SCIFACT),
    ),
    "retrieval-scifact-new": (
        "retrieval",
        EvalOptions("scifact:new", ("bm25", "dense", "hybrid", "fields", "maxsim", "trained"), measures=_SCIFACT),
    ),
    "retrieval-acl": ("retrieval", EvalOptions("acl:test", (*_UNTRAINED, "trained", *_CITED), measures=_ACL)),
    "retrieval-acl-new": (
        "retrieval",
        EvalOptions("acl:new", ("bm25", "dense", "fields", "trained", "citing", "trained-citing"), measures=_ACL[:5]),
    ),
    "retrieval-acl-snowball": ("retrieval", EvalOptions("acl:test", ("fields", "snowball"), measures=_ACL[:5])),
    "retrieval-acl-training": (
        "retrieval",
        EvalOptions(
            "acl:test", ("dense", *(f"dense-{kind}" for kind in _KINDS)), measures=("R@20", "R@100", "nDCG@10")
        ),
    ),
    "retrieval-hotpotqa": (
        "retrieval",
        EvalOptions("hotpotqa:test", ("bm25", "dense", "hybrid", "multi-query", "trained"), measures=_WIKI),
    ),
    "rerank-trec-dl": ("rerank", EvalOptions("trec-dl", _UNLEARNED)),
    "rerank-trec-dl19": ("rerank", EvalOptions("trec-dl19", _UNLEARNED)),
    "rerank-trec-dl20": ("rerank", EvalOptions("trec-dl20", _UNLEARNED)),
    "coherence-acl": ("coherence", EvalOptions("acl", n=200)),
}
_BLOCK: Final = re.compile(r"(<!-- results: ([\w-]+)(?: ([\w@, -]+))? -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(text: str, folder: Path) -> str:
    """A document whose blocks `<!-- results: NAME METRIC, METRIC --> ... <!-- end -->` hold the tables of a folder's results."""

    def block(match: re.Match[str]) -> str:
        metrics = [name.strip() for name in (match[3] or "").split(",") if name.strip()]
        return f"{match[1]}{markdown_table(read_results(folder / f'{match[2]}.json'), metrics)}\n{match[4]}"

    return _BLOCK.sub(block, text)


def _told(event: Event) -> None:
    """A line a tenth of the way."""
    if event.total and event.done % max(1, event.total // 10) == 0:
        sys.stderr.write(f"{event.stage} {event.done}/{event.total}\n")


def main(names: list[str]) -> None:
    """Runs the tables of these names (all by default), writes their results and renders the docs."""
    folder = ROOT / "evals" / "results"
    folder.mkdir(exist_ok=True)
    for name in names or TABLES:
        task, options = TABLES[name]
        chosen: EvalTask = registry.find("eval", EVALS, task)
        with tempfile.TemporaryDirectory() as work:
            results = run(evaluate(chosen.evaluation(options), Path(work) / name, concurrency=1, listen=_told))
        (folder / f"{name}.json").write_text(results.to_json(), encoding="utf-8")
        sys.stdout.write(terminal_table(results) + "\n\n")
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        document.write_text(rendered(document.read_text(encoding="utf-8"), folder), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
