"""A shell on a pseudo-terminal, with litrag's completion installed as a user installs it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pexpect
import pytest

__all__ = ["Terminal"]

_STUB = """#!/bin/sh
# completion asks litrag itself; a command that was typed shows what the shell made of it
if [ -n "$_LITRAG_COMPLETE" ] || [ "$1" = "--install-completion" ]; then exec {python} -m litrag.cli "$@"; fi
printf 'GOT'; printf ' <%s>' "$@"; printf ' END\\n'
"""
_START = {
    "bash": (["--noprofile", "-i"], ".bashrc", "PS1='@ '; bind 'set enable-bracketed-paste off' 2>/dev/null\n"),
    "zsh": (["-i"], ".zshrc", "PS1='@ '; unsetopt zle_bracketed_paste prompt_sp; setopt no_beep\n"),
    "fish": (["-i"], ".config/fish/config.fish", "function fish_prompt; echo '@ '; end; function fish_greeting; end\n"),
}


class Terminal:
    """The shell stands in `folder`; in `root` are its HOME, litrag's `home` and the `data` sets. Skips the test where the shell is not installed."""

    def __init__(self, shell: str, root: Path, folder: Path) -> None:
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"{shell} is not installed: completion in {shell} was not driven")
        arguments, config, text = _START[shell]
        user, bin_folder = root / "user", root / "bin"
        (user / config).parent.mkdir(parents=True, exist_ok=True)
        (user / config).write_text(text)
        bin_folder.mkdir()
        (bin_folder / "litrag").write_text(_STUB.format(python=sys.executable))
        (bin_folder / "litrag").chmod(0o755)
        env = _environment(root)
        self._start = lambda: pexpect.spawn(
            program, arguments, cwd=str(folder), env=env, encoding="utf-8", timeout=120, dimensions=(50, 200)
        )
        self._child = self._start()
        self.installed = self._typed("litrag --install-completion\r", "completion installed in .*")
        self._child.close(force=True)
        self._child = self._start()
        self._child.expect_exact("@ ")
        if shell == "zsh":  # the first tabulator of a session loads what typer installed, and shows nothing yet
            self.completed("litrag ready")

    def completed(self, line: str) -> list[str]:
        """The words that the shell hands to litrag after `line`, the tabulator and enter."""
        got = self._typed(f"{line}\t\r", "GOT.* END")
        return got.removeprefix("GOT <").removesuffix("> END").split("> <")

    def listed(self, line: str, last: str) -> str:
        """What the shell shows after `line` and the tabulator up to `last`; the line is then given up."""
        self._child.send(f"{line}\t\t")
        self._child.expect_exact(last)
        shown = self._child.before + last
        self._give_up()
        return shown

    def close(self) -> None:
        self._child.close(force=True)

    def _give_up(self) -> None:
        """Until a command is taken as it is typed: a busy shell loses keys while it leaves its menu."""
        for _ in range(12):
            self._child.sendcontrol("c")  # leaves a menu, or the line
            time.sleep(0.3)
            self._child.sendcontrol("u")
            self._child.send("litrag ready\r")
            if self._child.expect(["GOT <ready> END", pexpect.TIMEOUT], timeout=10) == 0:
                return
        raise AssertionError("the shell takes no command any more")

    def _typed(self, keys: str, pattern: str) -> str:
        self._child.send(keys)
        self._child.expect(pattern)
        return str(self._child.after)


def _environment(root: Path) -> dict[str, str]:
    user, home = root / "user", root / "home"
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    if "PYTHONPATH" in kept:  # the shell stands elsewhere
        kept["PYTHONPATH"] = os.pathsep.join(
            str(Path(part).absolute()) for part in kept["PYTHONPATH"].split(os.pathsep)
        )
    return {
        **kept,
        "HOME": str(user),
        "ZDOTDIR": str(user),
        "XDG_CONFIG_HOME": str(user / ".config"),
        "XDG_DATA_HOME": str(user / ".local"),
        "PATH": f"{root / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "LITRAG_HOME": str(home),
        "LITRAG_MODELS": str(home / "models"),
        "LITRAG_DATA": str(root / "data"),
    }
