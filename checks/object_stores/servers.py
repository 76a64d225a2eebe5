"""Servers that speak S3: moto's and s3rver, each in a process of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from s3 import BUCKET, KEY, SECRET, moto, serving

__all__ = ["started"]

PROGRAM = Path(__file__).with_name("s3rver.js")


def started(name: str, modules: Path | None, folder: Path) -> AbstractContextManager[str]:
    """Run a server within a context, whose value is the address of the server.

    Parameters
    ----------
    name
        ``"moto"`` or ``"s3rver"``.
    modules
        Folder ``node_modules`` with s3rver.
    folder
        Folder for the data of s3rver.
    """
    if name == "moto":
        return moto()
    assert modules is not None
    return serving(["node", *map(str, [PROGRAM, modules.resolve(), folder]), BUCKET, KEY, SECRET])
