"""Check that the core works with only its declared dependencies installed."""

from __future__ import annotations

import tempfile
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import zarr

import rechunker

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


if __name__ == "__main__":
    print("installed:", *sorted(f"{dist.name} {dist.version}" for dist in distributions()))
    with tempfile.TemporaryDirectory() as name:
        rechunk(Path(name))
        ask_for_unknown(Path(name))
    print("rechunked an array with only these packages")
