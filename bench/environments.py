"""Environments of the peers: each program in `peers` says what it needs, and is given just that."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

__all__ = ["PEERS", "environment", "requirements", "version"]

PEERS = Path(__file__).parent / "peers"
# https://packaging.python.org/en/latest/specifications/inline-script-metadata/
_METADATA = re.compile(r"^# /// script\n((?:#.*\n)+)# ///$", re.MULTILINE)


def requirements(program: Path) -> list[str]:
    """Return what a program needs, as it says in its first lines."""
    found = _METADATA.search(program.read_text("utf-8"))
    assert found is not None, f"{program} does not say what it needs"
    lines = (line[2:] for line in found[1].splitlines())
    return list(tomllib.loads("\n".join(lines))["dependencies"])


def environment(program: Path, cache: Path) -> Path:
    """Make an environment for a program, if there is none yet, and return its Python.

    Parameters
    ----------
    program
        The program.
    cache
        Folder of all environments.
    """
    needed = requirements(program)
    digest = hashlib.sha256("\n".join([sys.version, *needed]).encode()).hexdigest()[:8]
    folder = cache / f"environment-{program.stem}-{digest}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _install(folder, python, needed)
        complete.touch()
    return python


def version(program: Path, python: Path) -> str:
    """Return name and version of the first package that a program needs."""
    name = re.split(r"[^\w-]", requirements(program)[0])[0]
    ask = f"from importlib.metadata import version; print(version({name!r}))"
    said = subprocess.run([python, "-c", ask], check=True, stdout=subprocess.PIPE, text=True)
    return f"{name} {said.stdout.strip()}"


def _install(folder: Path, python: Path, needed: list[str]) -> None:
    """Make an environment with uv, or with venv and pip where there is no uv."""
    uv = shutil.which("uv")
    if uv is None:
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
    else:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    subprocess.run([*install, *needed], check=True)
