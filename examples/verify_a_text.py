"""Are the works that a text cites in its bibliography, and does what it says stand in them? Checked without a language model: numbers, quotations,
and (where the embedded model is) whether a sentence is on the subject of its source at all."""

from pathlib import Path

from litrag.core.settings import load_settings
from litrag.pipelines.bibliography import bibliography_of
from litrag.pipelines.checking import check

TEXT = """
RARR finds "attribution for what language models write and edits what has no support" [@2023.acl-long.910].
It finds "attribution for what language models write and keeps what has no support" [@2023.acl-long.910].
SciFact has 14 thousand claims [@2020.emnlp-main.609]. FEVER has 185,445 [@N18-1074].
Rivers carry more sediment after the first rains of autumn [@2020.acl-main.207]. Others agree [@smith2031].
"""

papers = bibliography_of(Path(__file__).parent / "library.jsonl", ())  # or a .bib file; its keys are those of the text
checked = check(TEXT, papers, load_settings())
for sentence, verdict, label in checked.rows:
    print(f"{label:<12} {verdict.key:<21} {sentence}")
print(f"{checked.faults} of {len(checked.rows)} citations are at fault; {checked.spent}")
