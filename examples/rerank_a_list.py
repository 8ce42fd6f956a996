"""BM25's list in the order of several rerankers, and what each of them takes. Here two embedded models rank; any model string can."""

from pathlib import Path

from litrag.core.settings import load_settings
from litrag.core.types import Query, Ranking
from litrag.pipelines.first_stage import Candidates, FirstStage
from litrag.pipelines.reranking import Method, rerank
from litrag.pipelines.searching import find

QUERY = "rank passages by the probability of the question"

found = find(QUERY, k=8, library=Path(__file__).parent / "library.jsonl", retriever="bm25")
first = FirstStage((Candidates("q1", Ranking(Query(QUERY), found.hits)),))
for name in ("none", "similarity", "maxsim", "query-likelihood"):
    outcome = rerank(first, Method(name), load_settings(rerank_model="local/SmolLM2-135M-Instruct"))
    print(outcome.spent)
    for document in outcome.rows(k=4)[0]["documents"]:
        print(f"    {document['rank']} (was {document['was']}) {document['title'][:80]}")
