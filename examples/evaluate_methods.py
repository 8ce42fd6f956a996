"""Search methods on a data set in BEIR's layout: measures with intervals, pairs compared. Here: does a title find its abstract?"""

import json
import tempfile
from pathlib import Path

from litrag.core import sync
from litrag.evals.retrieval import RETRIEVAL
from litrag.evals.runner import evaluate
from litrag.evals.tables import terminal_table
from litrag.evals.tasks import EvalOptions

PAPERS = [json.loads(line) for line in (Path(__file__).parent / "library.jsonl").read_text("utf-8").splitlines()]
rows = [{"_id": paper["id"], "title": "", "text": paper["abstract"]} for paper in PAPERS]
queries = [{"_id": f"q{paper['id']}", "text": paper["title"]} for paper in PAPERS[:40]]
with tempfile.TemporaryDirectory() as name:
    data, folder = Path(name) / "titles", Path(name) / "results"
    (data / "qrels").mkdir(parents=True)
    (data / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (data / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)), encoding="utf-8")
    judged = "\n".join(f"q{paper['id']}\t{paper['id']}\t1" for paper in PAPERS[:40])
    (data / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}\n", encoding="utf-8")
    options = EvalOptions(str(data), ("bm25", "dense", "hybrid"), measures=("RR", "R@1", "R@10"))
    print(terminal_table(sync.run(evaluate(RETRIEVAL.evaluation(options), folder))))
