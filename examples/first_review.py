"""A related-work section for an abstract, over a file of papers. No key and no network: the embedded model groups, the papers' own sentences speak."""

from pathlib import Path

from litrag import review

HERE = Path(__file__).parent

made = review(HERE / "abstract.txt", library=HERE / "library.jsonl", papers=12, out="first-review", force=True)
print(made.text.partition("## References")[0])
print(f"{made.papers} papers cited, {made.counters['supported']} citations supported")
print(*sorted(path.name for path in made.folder.iterdir()), sep=", ")
