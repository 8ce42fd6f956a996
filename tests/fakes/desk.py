"""The files that the docs speak of, small ones of our own, and a model that answers each prompt by its form."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path

from fakes.author import reply_to
from fakes.beir import write_beir
from fakes.chat import Reply
from fakes.texts import ABSTRACT, TITLE, papers
from fakes.wiki import questions, write_wiki

from litrag.core.types import Paper

__all__ = ["ROOT", "answer", "write_folder"]

ROOT = Path(__file__).resolve().parents[2]
_SMELL = "Dogs find mushrooms in dense forest by their smell. In the snow dogs find truffles as well."
_TRUE = "Dogs find mushrooms in dense forest by their smell"


def write_folder(folder: Path) -> None:
    """Fills the folder that commands are run in."""
    smell = Paper("smell", "Dogs and the Smell of Mushrooms", _SMELL, ("Ana Oke",), 2004, "Forest Letters")
    (folder / "abstract.txt").write_text(f"{TITLE}\n\n{ABSTRACT}\n")
    (folder / "papers.bib").write_text("\n".join(_entry(paper) for paper in (smell, *papers())))
    (folder / "refs.bib").write_text(_entry(smell))
    (folder / "draft.tex").write_text(rf"``{_TRUE}'' \cite{{smell}}." + "\n")
    (folder / "false.md").write_text(
        f"“{_TRUE}” [@smell]. They found 970 of them [@smell]. So says another [@nobody].\n"
    )
    (folder / "question.txt").write_text("Do dogs or drones find more mushrooms in dense forest?\n")
    (folder / "history.txt").write_text("Which animal finds mushrooms?\nDogs do.\n")
    (folder / "outline.md").write_text(
        "## Animals\n\n### Dogs\n- how dogs are trained\n\n## Machines\n\n### Drones\n- what drones see\n"
    )
    (folder / "notes").mkdir()
    (folder / "notes" / "walk.md").write_text(
        "# A Walk with Dogs\n\n" + "We went into the woods with dogs. " * 40 + _SMELL + "\n"
    )
    found = [{"id": p.id, "title": p.title, "text": p.abstract, "score": 9.5 - n} for n, p in enumerate(papers()[:4])]
    (folder / "first.jsonl").write_text(
        json.dumps({"id": "q1", "query": "dogs that smell mushrooms", "documents": found}) + "\n"
    )
    pairs = [{"prompt": f"Name {n}: ", "completion": word} for n, word in enumerate(("dog", "cap", "soil", "tree"))]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    write_beir(folder / "woods")
    lines = [
        f"q{f} Q0 {f}-{i} {rank} {9.5 - rank} other" for f in range(4) for rank, i in enumerate((4, 2, 7), start=1)
    ]
    (folder / "woods.run").write_text("\n".join(lines) + "\n")
    (folder / "data").mkdir()
    write_wiki(folder / "data" / "hotpotqa")
    pages = {title: " ".join(lines) for question in questions() for title, lines in question["context"]}
    with gzip.open(folder / "wikipedia.jsonl.gz", "wt") as file:
        file.write("".join(json.dumps({"title": title, "text": text}) + "\n" for title, text in pages.items()))
    shutil.copytree(ROOT / "examples", folder / "examples")


def _entry(paper: Paper) -> str:
    authors = " and ".join(paper.authors)
    return (
        f"@article{{{paper.id},\n  title = {{{paper.title}}},\n  author = {{{authors}}},\n  year = {{{paper.year}}},\n"
        f"  journal = {{{paper.venue}}},\n  abstract = {{{paper.abstract}}}\n}}\n"
    )


def answer(prompt: str) -> Reply:
    """A reply in the asked form: queries, an order, scores, arguments, a plan, a paragraph, a verdict, probabilities; else a sentence."""
    numbers = sorted(set(re.findall(r"^\[(\d+)\]", prompt, re.MULTILINE)), key=int)
    if "passages, each with a letter" in prompt.lower() or "yes or no alone" in prompt:
        return {"yes": -0.2, "no": -1.7}
    if "argue for and against" in prompt:
        return json.dumps(
            {"candidates": [{"number": int(n), "for": [], "against": [], "probability": 90 - int(n)} for n in numbers]}
        )
    if "Score each of the" in prompt:
        return json.dumps({n: int(n) % 10 for n in numbers})
    if "fits the query best" in prompt:
        return f"<answer>[{numbers[-1]}]</answer>"
    if "Answer with A or B" in prompt:
        return "A"
    if "Bands:" in prompt:
        return "It fits.\nScore: 70"
    if "<abstract>" in prompt or any(
        form in prompt for form in ("<ranking>", "You plan the", "You write one", "Does the source", "A sentence of a")
    ):
        return reply_to(prompt)
    return "Which animal finds mushrooms in the snow?"
