"""Importing rechunker: nothing is loaded before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import rechunker

SCRIPT = """
import json, sys
import numpy, zarr
before = set(sys.modules)
import rechunker
first = set(sys.modules) - before
from rechunker import rechunk
then = set(sys.modules) - before
print(json.dumps([sorted(first), sorted(then)]))
"""


def test_modules_are_loaded_when_they_are_needed() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    first, then = json.loads(done.stdout)
    assert first == ["rechunker"]
    unneeded = ("dask", "html", "xarray", "rechunker.sources.xarray", "rechunker.verifying")
    assert [name for name in then if name.startswith(unneeded)] == []


def test_every_public_name_is_found() -> None:
    assert {*rechunker.__all__} <= {*dir(rechunker)}
    assert all(getattr(rechunker, name) is not None for name in rechunker.__all__)
    assert rechunker.types.Executor.__module__ == "rechunker.types"
    assert not hasattr(rechunker, "nothing")
    assert not hasattr(rechunker, "_nothing")
