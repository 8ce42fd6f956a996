"""`python -m litrag.evals` (make evals): the full tables into evals/results/, and from there into the docs."""

from __future__ import annotations

import argparse
import functools
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from litrag.agents.stops import RULES
from litrag.core import registry
from litrag.core.events import Event
from litrag.core.sync import run
from litrag.evals import EVALS
from litrag.evals.method_names import METHOD_NAMES
from litrag.evals.parallel import alone, joined, run_rows
from litrag.evals.results import Results, read_results
from litrag.evals.review_pipeline import PIPELINES
from litrag.evals.review_writing import WRITERS
from litrag.evals.runner import Evaluation, evaluate
from litrag.evals.tables import difference, figure, markdown_table, terminal_table
from litrag.evals.tasks import EvalOptions, EvalTask

__all__ = ["TABLES", "documents", "main", "rendered"]

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
_SCORE_FORMS: Final = (
    "",
    "-fused-.3",
    "-fused-.5",
    "-scores",
    "-scores-permuted",
    "-scores-constant",
    "-scores-none",
    "-scores-fused-.3",
)
_ENDS: Final = ("controller", "interpolated", "random-stop", "oracle-stop")
_HOPS: Final = (
    *(f"{name}-{n}" for name in ("bm25", "dense") for n in (3, 6, 18)),
    *(f"hybrid-{n}" for n in (3, 6, 9, 12, 18)),
    "feedback-2",
    "feedback-6",
    *(f"fixed-{n}" for n in range(1, 7)),
    *(f"fixed-hybrid-{n}" for n in (2, 4, 6)),
    *(f"narrow-{n}" for n in range(1, 7)),
    "hybrid-equal-fixed-6",
    *(f"hybrid-equal-narrow-{n}" for n in (2, 4, 6)),
    *(f"{way}-stop-{rule}" for way in ("fixed", "narrow") for rule in RULES),
    *(f"{way}-{end}" for way in ("fixed", "narrow") for end in _ENDS),
)
_HOPS_SHORT: Final = (
    *(f"{name}-{n}" for n in (6, 9) for name in ("bm25", "dense", "hybrid")),
    *(f"narrow-{n}" for n in (1, 2, 4, 6)),
    *(f"hybrid-equal-narrow-{n}" for n in (2, 4, 6)),
    "hybrid-equal-fixed-6",
    "fixed-6",
    *(f"narrow-stop-{rule}" for rule in RULES),
    *(f"narrow-{end}" for end in _ENDS),
)
# the classifier that comes with litrag, over questions that it has not seen
_SHIPPED: Final = (*(f"words-{n}" for n in range(1, 7)), "words-shipped", "words-shipped-interpolated")
_ASKED: Final = ("hybrid-6", "narrow-4", "react", "narrow-stop-agreement")
_UNLEARNED: Final = ("bm25", "query-likelihood", "query-likelihood-fused")
_LOGITS: Final = (
    *_UNLEARNED,
    "query-likelihood-instructed",
    "query-likelihood-calibrated",
    "yes-no",
    "yes-no-fused",
    "graded",
    "graded-fused",
    "first",
    "first-fused",
)
_WRITTEN: Final = (
    "groupwise",
    "listwise",
    "listwise-window",
    "insertrank",
    "insertrank-permuted",
    "insertrank-shuffled",
    "listwise-consistent",
    "setwise",
    "pairwise",
)
_CANARD: Final = (
    *("history", "context", "human", "untrained", "sft", "adaqr", "adaqr-margin", "adaqr-shuffled", "adaqr-gold"),
    *("one-sample", "best-of", "best-of-retrieval", "best-of-gold"),
)
# the other condition, a table of its own: neither corrects the other's tests
_CANARD_BARE: Final = (
    *("history", "human", "untrained-bare", "sft-bare", "adaqr-margin-bare", "adaqr-shuffled-bare", "adaqr-gold-bare"),
    *("one-sample-bare", "best-of-bare", "best-of-retrieval-bare", "best-of-gold-bare"),
)
_CANARD_PAGE: Final = tuple(f"{name}{end}" for name in ("untrained", "sft", "adaqr-margin") for end in ("", "-bare"))
_LITERATURE: Final = ("R@20", "R@100", "R@500", "nDCG@10")
_CAR: Final = ("car-originals", "car", "car-terms", "car-random")
_CAR_WRITTEN: Final = ("car-three", "car-written", "car-alone")
_CAR_MEASURES: Final = ("nDCG@10", "R@10", "R@100", "RR")
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
    "rerank-trec-dl19-logits": ("rerank", EvalOptions("trec-dl19", _LOGITS, n=20)),
    "rerank-trec-dl19-written": ("rerank", EvalOptions("trec-dl19", ("bm25", *_WRITTEN), n=10)),
    "rerank-trec-dl19-argued": ("rerank", EvalOptions("trec-dl19", ("bm25", "rubric", "debate"), n=10)),
    "rerank-trec-dl19-trained": (
        "rerank",
        EvalOptions("trec-dl19", (*_UNLEARNED, "trained-likelihood", "trained-likelihood-fused")),
    ),
    "rerank-trec-dl20-trained": (
        "rerank",
        EvalOptions("trec-dl20", (*_UNLEARNED, "trained-likelihood", "trained-likelihood-fused")),
    ),
    "rerank-trec-dl-trained": (
        "rerank",
        EvalOptions("trec-dl", (*_UNLEARNED, "trained-likelihood", "trained-likelihood-fused")),
    ),
    "insertrank": (
        "rerank",
        EvalOptions(
            "trec-dl19",
            (
                "bm25",
                *(f"trained-first{kind}" for kind in (*_SCORE_FORMS, "-scores-shuffled")),
                *(f"trained-yes-no{kind}" for kind in _SCORE_FORMS),
            ),
        ),
    ),
    "rerank-trec-dl-encoders": ("rerank", EvalOptions("trec-dl", ("bm25", "similarity", "maxsim"))),
    "rewrite-canard-given": ("rewrite", EvalOptions("canard-unanswered:test", ("history", "context", "human"))),
    **{
        f"rewrite-canard{condition}{name}": ("rewrite", EvalOptions(f"{dataset}:test", methods, n=150))
        for condition, dataset in (("", "canard-unanswered"), ("-windows", "canard-windows"))
        for name, methods in (("", _CANARD), ("-bare", _CANARD_BARE), ("-page", _CANARD_PAGE))
    },
    "rewrite-canard-windows-given": ("rewrite", EvalOptions("canard-windows:test", ("history", "context", "human"))),
    "car-acl": (
        "retrieval",
        EvalOptions("acl-keyphrases:test", ("bm25", "dense", *_CAR, *_CAR_WRITTEN), measures=_CAR_MEASURES, k=100),
    ),
    "car-canard": (
        "retrieval",
        EvalOptions("canard-unanswered:test", ("bm25", "dense", *_CAR), measures=_CAR_MEASURES, k=100),
    ),
    "car-scifact": ("retrieval", EvalOptions("scifact:test", ("bm25", "dense", *_CAR), measures=_CAR_MEASURES, k=100)),
    "rewrite-acl": ("rewrite", EvalOptions("acl:test", ("statistical", "statistical-fused"))),
    "rewrite-acl-model": (
        "rewrite",
        EvalOptions("acl:test", ("keywords", "keywords-fused", "statistical", "statistical-fused"), n=40),
    ),
    "reward-canard": (
        "reward",
        EvalOptions(
            "canard-unanswered:test",
            ("marginal", "temperature-0.25", "temperature-4.0", "minmax", "expected-nll", "retrieval"),
            n=200,
        ),
    ),
    **{
        f"ambiguity{name and f'-{name}'}": (
            "ambiguity",
            EvalOptions(f"ambiguous{source}", methods=("rules", "few-words", "leans", "model")),
        )
        for name, source in (
            ("", ""),
            ("acl", ":acl-keyphrases"),
            ("canard", ":canard-windows"),
            ("scifact", ":scifact"),
        )
    },
    **{
        f"literature-acl{name}": ("retrieval", EvalOptions("acl:test", methods, measures=_LITERATURE))
        for name, methods in (
            (
                "",
                ("bm25", "words-parts-4", "words-keyphrases-4", *(f"words-agent-{n}" for n in (2, 4, 8))),
            ),
            ("-review", ("bm25", "words-agent-8", "words-keyphrases-8", "words-review-8")),
            ("-vectors", ("hybrid", "parts-4", "keyphrases-4", "agent-4", "keyphrases-8", "review-8")),
        )
    },
    "hotpotqa": ("hotpotqa", EvalOptions("hotpotqa", _HOPS)),
    "hotpotqa-test": ("hotpotqa", EvalOptions("hotpotqa:test", _HOPS_SHORT)),
    "hotpotqa-bridge": ("hotpotqa", EvalOptions("hotpotqa:bridge", _HOPS_SHORT)),
    "hotpotqa-comparison": ("hotpotqa", EvalOptions("hotpotqa:comparison", _HOPS_SHORT)),
    "musique": ("musique", EvalOptions("musique", _HOPS_SHORT)),
    "shipped-hotpotqa": ("hotpotqa", EvalOptions("hotpotqa:test", _SHIPPED)),
    "shipped-musique": ("musique", EvalOptions("musique", _SHIPPED)),
    "hotpotqa-model": ("hotpotqa", EvalOptions("hotpotqa", tuple(f"{name}+answer" for name in _ASKED), n=60)),
    "verify": (
        "verify",
        EvalOptions(
            "scholarqa-multi:test",
            tuple(name for name in METHOD_NAMES["verify"] if name != "query-likelihood"),
        ),
    ),
    "review-acl": (
        "review",
        EvalOptions("acl:test", tuple(name for name in PIPELINES if name != "searches-16"), n=40),
    ),
    "review-scholarqa": (
        "review",
        EvalOptions("scholarqa-multi:test", tuple(name for name in WRITERS if not name.endswith("generate"))),
    ),
    "coherence-acl": ("coherence", EvalOptions("acl", n=200)),
}
_BLOCK: Final = re.compile(r"(<!-- results: ([\w-]+)(?: ([\w@, ()=-]+))? -->\n).*?(<!-- end -->)", re.DOTALL)
_DIFFERENCE: Final = re.compile(r"(<!-- difference: ([\w-]+) (\S+) (\S+) (\S+)( interval)?( p)? -->).*?(<!-- end -->)")
_FIGURE: Final = re.compile(r"(<!-- figure: ([\w-]+) (\S+) (\S+)( interval)? -->).*?(<!-- end -->)")


def documents() -> tuple[Path, ...]:
    """The README and the pages of the docs, which tables and figures are rendered into."""
    return (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def rendered(text: str, folder: Path) -> str:
    """A document whose blocks `<!-- results: NAME METRIC, METRIC --> ... <!-- end -->` hold the tables of a folder's results, and whose
    places `<!-- figure: NAME SYSTEM METRIC -->...<!-- end -->` hold one figure of them, followed by its interval where `interval`
    stands behind the metric, and `<!-- difference: NAME A B METRIC -->...<!-- end -->` what A has more than B, with `interval` and `p` likewise. Raises
    UnknownName for a system or metric that the results lack."""
    read = functools.cache(lambda name: read_results(folder / f"{name}.json"))

    def block(match: re.Match[str]) -> str:
        metrics = [name.strip() for name in (match[3] or "").split(",") if name.strip()]
        return f"{match[1]}{markdown_table(read(match[2]), metrics)}\n{match[4]}"

    def single(match: re.Match[str]) -> str:
        return f"{match[1]}{figure(read(match[2]), match[3], match[4], interval=bool(match[5]))}{match[6]}"

    def apart(match: re.Match[str]) -> str:
        told = difference(read(match[2]), match[3], match[4], match[5], interval=bool(match[6]), p=bool(match[7]))
        return f"{match[1]}{told}{match[8]}"

    return _DIFFERENCE.sub(apart, _FIGURE.sub(single, _BLOCK.sub(block, text)))


def _told(event: Event) -> None:
    """A line a tenth of the way."""
    if event.total and event.done % max(1, event.total // 10) == 0:
        sys.stderr.write(f"{event.stage} {event.done}/{event.total}\n")


def main(arguments: list[str]) -> None:
    """Runs tables by name (all by default), writes their results and renders the docs. `--jobs N` runs N rows of a table at once, in
    processes of their own, and keeps what they have done in `--work`, where a second call goes on."""
    parser = argparse.ArgumentParser(prog="python -m litrag.evals", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TABLES))
    parser.add_argument("--jobs", type=int, default=1, help="rows at once")
    parser.add_argument("--topics-at-once", type=int, default=1, help="topics a row answers side by side")
    parser.add_argument("--work", type=Path, default=None, help="folder of the rows' journals")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.row:
        one = alone(_evaluation(chosen.names[0]), chosen.row)
        run(evaluate(one, chosen.into, resume=True, concurrency=chosen.topics_at_once))
        return
    folder = ROOT / "evals" / "results"
    folder.mkdir(exist_ok=True)
    for name in chosen.names or TABLES:
        with tempfile.TemporaryDirectory() as place:
            results = _measured(name, chosen, Path(place))
        (folder / f"{name}.json").write_text(results.to_json(), encoding="utf-8")
        sys.stdout.write(terminal_table(results) + "\n\n")
    for document in documents():
        document.write_text(rendered(document.read_text(encoding="utf-8"), folder), encoding="utf-8")


def _evaluation(name: str) -> Evaluation:
    task, options = TABLES[name]
    found: EvalTask = registry.find("eval", EVALS, task)
    return found.evaluation(options)


def _measured(name: str, chosen: argparse.Namespace, place: Path) -> Results:
    evaluation, whole, rows = _evaluation(name), place / name, (chosen.work or place / "rows") / name
    if chosen.jobs > 1:
        command = [sys.executable, "-m", "litrag.evals", name, "--topics-at-once", str(chosen.topics_at_once)]
        names = [system.name for system in evaluation.systems]
        run(run_rows(command, names, rows, chosen.jobs))
        joined(evaluation, rows, whole)
    return run(evaluate(evaluation, whole, resume=chosen.jobs > 1, concurrency=chosen.topics_at_once, listen=_told))


if __name__ == "__main__":
    main(sys.argv[1:])
