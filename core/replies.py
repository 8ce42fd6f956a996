"""Reading what models reply. Every function is total: any text gives a value, unreadable is None, never an exception."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

__all__ = ["TEXT", "Json", "bounded", "list_of", "one_line", "read_json", "record", "strings", "without_reasoning"]

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_REASONING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN_REASONING = re.compile(r"^.*?</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_CUT_REASONING = re.compile(r"^\s*<(?:think|thinking|reasoning)>.*", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)

TEXT: Final = {"type": "string"}


def record(**fields: object) -> dict[str, object]:
    """The JSON schema of an object with exactly these fields, all required: the only form that strict servers take."""
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def list_of(item: object) -> dict[str, object]:
    """The JSON schema of a list."""
    return {"type": "array", "items": item}


def without_reasoning(text: str) -> str:
    """The reply without its reasoning block, also where only the closing tag is there, or, at its beginning, only the opening one: what was cut off while
    it reasoned has no answer."""
    return _CUT_REASONING.sub("", _OPEN_REASONING.sub("", _REASONING.sub("", text))).strip()


def read_json(reply: str) -> Json:
    """The last JSON object of the reply, repaired if need be; None where there is none.

    The last counts, since a model may show the asked form before it fills it. Its strings can be encoded: half of a surrogate pair, which
    a cut escape leaves, is U+FFFD."""
    from json_repair import repair_json

    text = without_reasoning(reply)
    found: Json = None
    for candidate in _candidates(text):
        try:
            value = _encodable(repair_json(candidate, return_objects=True))
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and value:
            found = value
    return found


def strings(value: Json) -> tuple[str, ...]:
    """The non-empty strings of a list, stripped; a lone string is a list of one; anything else is empty."""
    items = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(item.strip() for item in items if isinstance(item, str) and item.strip())


def one_line(reply: str, *, longest: int) -> str:
    """The first line of the answer that does not announce the next ("Here it is:"), without quotation marks around it; "" where it is markup or JSON, has
    no letter, or more than `longest` words."""
    lines = [line.strip() for line in without_reasoning(reply).splitlines() if line.strip()]
    for place, line in enumerate(lines, start=1):
        if (text := line.strip('"').strip()) and not (text.endswith(":") and place < len(lines)):
            words = len(text.split()) <= longest and any(c.isalpha() for c in text)
            return text if words and text[0] not in "<{[" else ""
    return ""


def bounded(value: Json, least: float, most: float) -> float | None:
    """A number, or one written as a string ("62.5", "62 %"), cut to [least, most]; None for anything else, NaN and true among it."""
    if isinstance(value, str):
        try:
            value = float(value.strip().removesuffix("%"))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(min(most, max(least, value)))


def _encodable(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {str(_encodable(key)): _encodable(item) for key, item in value.items()}
    return value


def _candidates(text: str) -> Iterator[str]:
    """Fenced blocks, else every outermost brace block; one that never closes reaches to the end."""
    fenced = [block for block in _FENCE.findall(text) if "{" in block]
    if fenced:
        yield from fenced
        return
    start, depth, quoted, escaped = -1, 0, False, False
    for at, c in enumerate(text):
        if quoted:
            quoted = escaped or c != '"'
            escaped = c == "\\" and not escaped
        elif c == '"' and depth:
            quoted = True
        elif c == "{":
            start, depth = (at, 1) if depth == 0 else (start, depth + 1)
        elif c == "}" and depth:
            depth -= 1
            if depth == 0:
                yield text[start : at + 1]
    if depth:
        yield text[start:]
