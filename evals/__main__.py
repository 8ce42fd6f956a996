"""`python -m litrag.evals` (make evals): the full tables, into evals/results/."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from litrag.core.paths import data_folder
from litrag.evals import coherence

__all__ = ["main"]


def main() -> None:
    """Runs every eval and writes its results. Exits 3 without the data."""
    data = data_folder()
    if data is None:
        sys.exit("litrag: no evaluation data; set LITRAG_DATA to its folder")
    results = coherence.run(data)
    target = Path(__file__).parent / "results" / "coherence-acl.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(
        json.dumps({"task": "coherence", "dataset": "acl", "seed": 0, "measures": coherence.as_json(results)}, indent=1)
        + "\n",
        encoding="utf-8",
    )
    sys.stdout.write(coherence.table(results) + f"\n{target.name} written\n")


if __name__ == "__main__":
    main()
