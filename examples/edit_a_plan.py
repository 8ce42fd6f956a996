"""A review that waits at its plan, is edited there and goes on; the plan is Markdown, and a paper in no sentence of it is not cited."""

from pathlib import Path

from litrag import resume, review
from litrag.core.errors import Waiting

HERE = Path(__file__).parent
OPTIONS = {"embed_model": "none", "papers": 9, "out": "planned-review", "force": True}

try:
    review(HERE / "abstract.txt", library=HERE / "library.jsonl", pause=("plan",), **OPTIONS)
except Waiting as waiting:
    plan = Path(waiting.file)
    paragraphs = plan.read_text(encoding="utf-8").partition("\n# Papers")[0].split("\n### ")
    print("\n### ".join(paragraphs))
    plan.write_text("\n### ".join(paragraphs[:2]), encoding="utf-8")  # the head, and the first paragraph alone
    made = resume(waiting.run_id)
    print(made.text.partition("## References")[0])
    print(f"{made.papers} papers cited in {made.folder}")
