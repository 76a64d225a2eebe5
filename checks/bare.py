"""Check that the core works with only its declared dependencies installed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import zarr

import rechunker

NO_TYPER = 'the command line needs typer: pip install "rechunker-core[cli]"\n'
UNKNOWN = "unrecognized executor 'prefect': pip install rechunker-prefect (installed: python)"


def rechunk(folder: Path) -> None:
    """Check that an array is rechunked correctly through temporary objects."""
    source = zarr.create_array(folder / "source.zarr", shape=(60, 50), chunks=(1, 50), dtype="i4")
    source[...] = np.arange(1, 3001).reshape(60, 50)
    result = rechunker.rechunk(
        source,
        target_chunks=(60, 1),
        max_mem=2000,
        target_store=folder / "target.zarr",
        temp_store=folder / "temp.zarr",
    ).execute()
    assert isinstance(result, zarr.Array)
    assert result.chunks == (60, 1)
    assert np.array_equal(np.asarray(result[...]), np.asarray(source[...]))


def ask_for_unknown(folder: Path) -> None:
    """Check the error for an executor that is not installed."""
    source = zarr.open_array(folder / "source.zarr", mode="r")
    message = ""
    try:
        rechunker.rechunk(source, (60, 1), "1MB", folder / "other.zarr", executor="prefect")
    except ValueError as error:
        message = str(error)
    assert message == UNKNOWN, message
    assert not (folder / "other.zarr").exists()


def ask_for_command_line() -> None:
    """Check what the program says where typer is not installed, under both of its names."""
    program = Path(sys.executable).with_name("rechunker")
    for command in ([str(program)], [sys.executable, "-m", "rechunker"]):
        ended = subprocess.run([*command, "--help"], capture_output=True, text=True)
        assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", NO_TYPER), ended


if __name__ == "__main__":
    print("installed:", *sorted(f"{dist.name} {dist.version}" for dist in distributions()))
    with tempfile.TemporaryDirectory() as name:
        rechunk(Path(name))
        ask_for_unknown(Path(name))
    ask_for_command_line()
    print("rechunked an array with only these packages")
