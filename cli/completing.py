"""Completion in bash, zsh and fish, through the scripts that typer installs (`litrag --install-completion`).

What may stand at the cursor is asked of typer's commands and parameters. bash cuts words at ':' and '=', and takes what it gets as it is; zsh runs what it gets; only
fish quotes by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from litrag.cli import choices

__all__ = ["Line", "answer", "words_of"]

_WIDTH: Final = 70  # letters of a help
_BREAKS: Final = re.compile(r"[:=]+")
_PLAIN: Final = re.compile(r"[\w%+=:,./-]", re.ASCII)
Asked: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """A command line up to the cursor: whole words after the program's name, the word under way without its quotes, and how it is typed.
    `option` is the `--name=` that the word begins with, `kept` what of the rest bash keeps because it takes it for words of its own, `quote` the quotation mark that is open."""

    words: tuple[str, ...]
    word: str = ""
    option: str = ""
    kept: str = ""
    quote: str = ""


def answer(shell: str, environ: Mapping[str, str], command: Any) -> str:
    """What a shell's script reads from litrag's `command`: one value a line (bash, with its help: fish), or a command (zsh). "" or, in zsh, `_files` where litrag has nothing to offer; then
    the shell completes files. Whatever goes wrong is nothing to offer: a shell has no place for an error."""
    try:
        line = _from_bash(environ) if shell == "bash" else _from_text(environ.get("_TYPER_COMPLETE_ARGS", ""))
        found = _found(line, command)
    except Exception:  # a traceback would stand in the middle of what the user types
        found, line = (), Line(())
    if shell == "fish" and environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        raise SystemExit(0 if found else 1)
    return _SHELLS[shell](line, found)


def words_of(text: str) -> tuple[tuple[str, ...], str]:
    """The words of a shell's line, quotes and backslashes undone, the last of them the one under way ("" after a blank); and the quotation mark that is
    open."""
    words, word, quote, escaped, begun = [], "", "", False, False
    for letter in text:
        if escaped:
            word, escaped = word + letter, False
        elif letter == "\\" and quote != "'":
            escaped = begun = True
        elif quote:
            word, quote = (word, "") if letter == quote else (word + letter, quote)
        elif letter in "'\"":
            quote, begun = letter, True
        elif letter.isspace():
            words += [word] if begun else []
            word, begun = "", False
        else:
            word, begun = word + letter, True
    return (*words, word), quote


def _from_text(text: str) -> Line:
    words, quote = words_of(text)
    return _line(words[1:], quote)


def _from_bash(environ: Mapping[str, str]) -> Line:
    """bash gives its words, cut at ':' and '=': those are put together again."""
    typed = environ["COMP_WORDS"].split("\n")[1 : int(environ["COMP_CWORD"]) + 1]
    joined: list[list[str]] = []
    for piece in typed:
        glued = joined and (_BREAKS.fullmatch(piece) or _BREAKS.fullmatch(joined[-1][-1]))
        joined = [*joined[:-1], [*joined[-1], piece]] if glued else [*joined, [piece]]
    last = joined[-1] if joined else [""]
    before = last if _BREAKS.fullmatch(last[-1]) else last[:-1]
    quote = words_of(last[-1])[1]
    line = _line([_undone("".join(pieces)) for pieces in joined] or [""], quote)
    kept = _undone("".join(before))
    return Line(line.words, line.word, line.option, kept.removeprefix(line.option), quote)


def _line(words: Sequence[str], quote: str) -> Line:
    *whole, last = words or ("",)
    if last.startswith("--") and "=" in last:
        name, _, value = last.partition("=")
        return Line((*whole, name), value, f"{name}=", quote=quote)
    return Line(tuple(whole), last, quote=quote)


def _undone(typed: str) -> str:
    return "".join(words_of(typed)[0])


def _found(line: Line, command: Any) -> Asked:
    """What may stand at the cursor, each with its help. typer's own search for it parses the whole line, which loads pydantic and what renders helps."""
    pending, places, free = None, 0, False
    used: set[str] = set()
    for word in line.words:
        if pending is not None:
            pending = None
        elif word == "--" or (word.startswith("-") and len(word) > 1 and not free):
            free = free or word == "--"
            used.add(word)
            pending = _option(command, word)
        elif hasattr(command, "commands"):
            command = command.commands.get(word)
        else:
            places += 1
    if pending is not None:
        return _values(pending, line)
    if line.word.startswith("-") and not free and not line.option:
        return _options(command, line.word, used)
    if hasattr(command, "commands"):
        return [(name, _short(each.help)) for name, each in command.commands.items() if name.startswith(line.word)]
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    return _values(arguments[min(places, len(arguments) - 1)], line) if _room(arguments, places) else ()


def _option(command: Any, name: str) -> Any:
    """The option of a name that waits for a value."""
    named = (each for each in command.params if name in each.opts)
    return next((each for each in named if not each.is_flag and not each.count), None)


def _options(command: Any, start: str, used: set[str]) -> Asked:
    shown = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    left = [each for each in shown if each.multiple or not used & {*each.opts, *each.secondary_opts}]
    rows = [(name, _short(each.help)) for each in left for name in (*each.opts, *each.secondary_opts)]
    return [row for row in [*rows, ("--help", "Show this message and exit.")] if row[0].startswith(start)]


def _room(arguments: Sequence[Any], places: int) -> bool:
    return bool(arguments) and (places < len(arguments) or arguments[-1].nargs == -1)


def _values(parameter: Any, line: Line) -> Asked:
    choices.WORDS.set(line.words)
    items = parameter.shell_complete(None, line.word)
    return [(item.value, item.help or "") for item in items if item.type == "plain"]


def _short(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _to_bash(line: Line, found: Asked) -> str:
    values = [value[len(line.kept) :] for value, _ in found if value.startswith(line.kept)]
    if len(values) == 1 and values[0].endswith("/"):
        values.append(f"{values[0]}…")  # of two bash inserts what they share, and no blank after it
    return "\n".join(_for_bash(value, line.quote) for value in values)


def _for_bash(value: str, quote: str) -> str:
    if quote == "'":
        return value.replace("'", r"'\''")
    if quote:
        return re.sub(r'([\\"$`])', r"\\\1", value)
    return "".join(letter if _PLAIN.match(letter) or not letter.isascii() else f"\\{letter}" for letter in value)


def _to_fish(line: Line, found: Asked) -> str:
    return "\n".join(f"{line.option}{value}\t{text}".rstrip("\t") for value, text in found)


def _to_zsh(line: Line, found: Asked) -> str:
    if not found:
        return "_files"
    return "; ".join(_described(line, found))


def _described(line: Line, found: Asked) -> Iterator[str]:
    """Commands for zsh; what ends in '/' goes on, so that no blank follows it."""
    for option, open_ended in (("", False), (" -S ''", True)):
        rows = [(value, text) for value, text in found if value.endswith("/") == open_ended]
        items = " ".join(_for_zsh(_item(line.option + value, text)) for value, text in rows)
        if rows:
            yield f"local -a litrag_items; litrag_items=( {items} ); _describe litrag litrag_items{option}"


def _item(value: str, text: str) -> str:
    escaped = re.sub(r"([\\:])", r"\\\1", value)
    return f"{escaped}:{text}" if text else escaped


def _for_zsh(text: str) -> str:
    """A word that zsh reads as it is, without a blank: what zsh evaluates it has cut at blanks before."""
    kept = (letter if _PLAIN.match(letter) or not letter.isascii() else f"\\x{ord(letter):02x}" for letter in text)
    return f"$'{''.join(kept)}'"


_SHELLS: Final[Mapping[str, Callable[[Line, Asked], str]]] = {"bash": _to_bash, "zsh": _to_zsh, "fish": _to_fish}
