"""Questions of our own over invented encyclopedia pages, in the form that HotPotQA and 2WikiMultiHopQA are released in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["questions", "write_wiki"]

_BANDS = (
    "Low Harbour",
    "Grey Herons",
    "Salt Office",
    "Nine Looms",
    "Paper Dunes",
    "Kelp Choir",
    "Far Lantern",
    "Moss Engine",
)
_TOWNS = ("Esbrund", "Tarnvik", "Olmstad", "Hjelmby", "Ravnsund", "Kvarnes", "Lindoya", "Brekkvold")
_COASTS = ("west", "north", "east", "south")


def questions() -> list[dict[str, Any]]:
    """One a band: from its album to its town; each with two pages that answer it, its album's, and one that does not."""
    found = []
    for number, (band, town) in enumerate(zip(_BANDS, _TOWNS, strict=True)):
        coast, album = _COASTS[number % 4], f"Album {band.split()[0]} Songs"
        context = [
            [album, [f"{album} is an album by the band {band}.", "It was recorded in winter."]],
            [band, [f"{band} is a band from {town}.", "It has four members."]],
            [town, [f"{town} is a seaport town.", f"It lies on the {coast} coast of the island."]],
            [f"Storm {number}", [f"Storm {number} was a winter storm that moved sand on a coast."]],
        ]
        found.append(
            {
                "_id": f"q{number}",
                "type": "compositional",
                "question": f"On which coast lies the town that the band of {album} comes from?",
                "answer": coast,
                "supporting_facts": [[band, 0], [town, 1]],
                "context": context,
                "evidences": [],
            }
        )
    return found


def write_wiki(folder: Path) -> Path:
    """The folder with dev.json."""
    folder.mkdir(parents=True)
    (folder / "dev.json").write_text(json.dumps(questions()))
    return folder
