"""One review as Markdown, Word, HTML and LaTeX. The formats come from what the run stored: no search, no model, the same text."""

from pathlib import Path

from litrag import review
from litrag.pipelines.exporting import export_run
from litrag.pipelines.runs import find_run

HERE = Path(__file__).parent

made = review(
    HERE / "abstract.txt",
    library=HERE / "library.jsonl",
    papers=8,
    embed_model="none",
    out="exported-review",
    force=True,
)
for path in sorted(export_run(find_run(made.run_id), ("docx", "html", "tex", "csl"), force=True)):
    print(f"{path.stat().st_size:>7,} bytes  {path.relative_to(Path.cwd())}")
body = (made.folder / "review.tex").read_text(encoding="utf-8").partition("\\end{quote}")[2]
print("of review.tex:", body.strip()[:400], sep="\n")
