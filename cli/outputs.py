"""What `--json` prints: one form a command, from which the published schema (docs/schemas/output.schema.json) and the table of docs/json.md are made
(`python -m litrag.cli.outputs docs`). A test runs every command and holds its object to its form.

A form's version, in `context.FORMS`, goes up when a field goes or changes its meaning; a new field leaves it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from litrag.cli.context import FORMS, schema_name
from litrag.cli.forms import (
    Ask,
    Evaluated,
    Failed,
    Pictures,
    Rerank,
    ReviewDone,
    ReviewPlanned,
    ReviewWaiting,
    Rewrite,
    Search,
    TrainedModel,
    Verify,
)
from litrag.cli.kept_forms import (
    CacheFacts,
    Cleared,
    Doctor,
    Files,
    Libraries,
    LibraryFacts,
    LibraryMade,
    Marked,
    Models,
    Removed,
    Roles,
    RunFacts,
    Runs,
    Setup,
    Stopped,
)
from litrag.exports.records import Record

__all__ = ["OUTPUTS", "published", "table", "write"]


# form -> what it holds, and the commands that print it
OUTPUTS: Final[Mapping[str, tuple[type[Record], str]]] = {
    "review": (ReviewDone, "review, runs resume"),
    "review-waiting": (ReviewWaiting, "review --plan-only, --interactive; runs resume"),
    "review-planned": (ReviewPlanned, "review --dry-run"),
    "search": (Search, "search"),
    "ask": (Ask, "ask"),
    "rerank": (Rerank, "rerank"),
    "rewrite": (Rewrite, "rewrite"),
    "verify": (Verify, "verify"),
    "eval": (Evaluated, "eval"),
    "train": (TrainedModel, "train"),
    "plot": (Pictures, "plot"),
    "library": (LibraryMade, "library add, library update"),
    "library-list": (Libraries, "library list"),
    "library-info": (LibraryFacts, "library info"),
    "runs-list": (Runs, "runs list"),
    "runs-show": (RunFacts, "runs show"),
    "runs-stop": (Stopped, "runs stop"),
    "runs-mark": (Marked, "runs mark"),
    "runs-export": (Files, "runs export"),
    "removed": (Removed, "library remove, runs remove"),
    "setup": (Setup, "setup"),
    "doctor": (Doctor, "doctor"),
    "models-list": (Models, "models list"),
    "models-show": (Roles, "models show"),
    "cache-info": (CacheFacts, "cache info"),
    "cache-clear": (Cleared, "cache clear"),
    "error": (Failed, "every command that fails"),
}


def published() -> dict[str, Any]:
    """One JSON Schema of all forms, told apart by their field `schema`."""
    kinds = [(kind, "serialization") for kind in dict.fromkeys(kind for kind, _ in OUTPUTS.values())]
    _, schema = models_json_schema(kinds, title="What litrag --json prints")  # type: ignore[arg-type]
    shapes = {
        name: {key: value for key, value in shape.items() if value is not False}
        for name, shape in schema["$defs"].items()
    }  # a reader passes over fields that are newer than its copy
    forms = {}
    for form, (kind, _) in OUTPUTS.items():
        shape = shapes[kind.__name__]
        names = {"schema": {"const": schema_name(form)}, **shape.get("properties", {})}
        forms[form] = {**shape, "properties": names, "required": ["schema", *shape.get("required", ())]}
    printed = {kind.__name__ for kind, _ in OUTPUTS.values()}
    parts = {name: shape for name, shape in shapes.items() if name not in printed}
    draft = "https://json-schema.org/draft/2020-12/schema"
    head = {"$schema": draft, "title": schema["title"], "oneOf": [{"$ref": f"#/$defs/{form}"} for form in forms]}
    return {**head, "$defs": {**forms, **parts}}


def table() -> str:
    """The forms as a Markdown table: what prints each, its `schema`, its fields."""
    rows = ["| command | `schema` | fields |", "|---|---|---|"]
    for form, (kind, commands) in OUTPUTS.items():
        fields = ", ".join(f"`{field.alias or name}`" for name, field in kind.model_fields.items()) or "one a picture"
        rows.append(f"| {commands} | `{schema_name(form)}` | {fields} |")
    return "\n".join(rows)


def write(docs: Path) -> None:
    """Writes the schema, and the table into json.md between its marks."""
    text = json.dumps(published(), indent=1, ensure_ascii=False) + "\n"
    (docs / "schemas" / "output.schema.json").write_text(text, encoding="utf-8")
    page = docs / "json.md"
    marks = r"(?<=<!-- outputs -->\n).*?(?=<!-- end -->)"
    page.write_text(re.sub(marks, lambda _: table() + "\n", page.read_text(encoding="utf-8"), flags=re.DOTALL))


assert OUTPUTS.keys() == FORMS.keys()
if __name__ == "__main__":
    write(Path(sys.argv[1]))
