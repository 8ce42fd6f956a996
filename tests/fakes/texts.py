"""Small texts of our own for tests: forty papers in four fields, and an abstract."""

from __future__ import annotations

import json
from pathlib import Path

from litrag.core.types import Paper

__all__ = ["ABSTRACT", "TITLE", "papers", "write_library"]

TITLE = "Finding Mushrooms with Trained Dogs"
ABSTRACT = (
    "Mushrooms hide under leaves and are hard to find for people. We train dogs to find mushrooms by their smell and compare them with"
    " drones that carry cameras. Dogs find more mushrooms in dense forest, while drones cover open ground faster. We also ask how a"
    " map of soil moisture helps both, and how the search should be planned when time is short."
)
_FIELDS = {
    "dog training": ("train dogs with rewards for smells", "scent discrimination", "handlers and their commands"),
    "drone imaging": ("detect caps in aerial pictures taken by drones", "image segmentation", "flight height"),
    "soil maps": ("predict soil moisture from weather and slope", "moisture sensors", "forest floors"),
    "search planning": ("plan the order of search areas under limited time", "expected yield", "walking distance"),
}


def papers() -> list[Paper]:
    """Ten papers a field, with distinct authors and years from 2001 to 2010."""
    found = []
    for f, (field, (what, topic, other)) in enumerate(_FIELDS.items()):
        for i in range(10):
            verb = ("propose", "present", "study", "describe", "develop")[i % 5]
            abstract = f"The question of {field} is old. We {verb} a way to {what} in case {i}. It rests on {topic} and on {other}."
            authors = tuple(
                f"{'ABCDE'[j]}. {'Nar Oke Pil Quo Rem Sut Tav Uru Vex Wim'.split()[i]}{'aeio'[f]}{j or ''}"
                for j in range(1 + i % 3)
            )
            found.append(
                Paper(
                    f"{f}-{i}",
                    f"{field.title()} in Practice, Part {i}",
                    abstract,
                    authors,
                    2001 + i,
                    "Proceedings of the Forest Conference",
                )
            )
    return found


def write_library(path: Path, records: list[Paper] | None = None) -> Path:
    """The papers as JSON Lines."""
    lines = [
        json.dumps(
            {
                "id": p.id,
                "title": p.title,
                "abstract": p.abstract,
                "authors": list(p.authors),
                "year": p.year,
                "venue": p.venue,
                "doi": p.doi,
                **{name: value for name in ("arxiv_id", "url") if (value := getattr(p, name))},
            }
        )
        for p in (papers() if records is None else records)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
