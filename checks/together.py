"""Check that the executors of the named packages all store the same bytes for one array."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import zarr

import rechunker
from rechunker.plugins import list_executors


def stored(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder, by relative path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def keep_prefect_in(folder: str) -> None:
    """Configure Prefect, before it is imported, to keep its files in a folder and to log little."""
    os.environ |= {
        "PREFECT_HOME": folder,
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def main(packages: list[str]) -> None:
    """Fail if a package offers no executor, or if an executor stores another target."""
    executors = list_executors()
    names = {name.removeprefix("rechunker-").replace("core", "python") for name in packages}
    assert set(executors) == names, f"installed: {executors}, packages: {sorted(names)}"
    values = np.random.default_rng(0).integers(1, 100, (400, 400), dtype="i4")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        keep_prefect_in(f"{folder}/prefect")
        source = zarr.create_array(
            f"{folder}/source.zarr", shape=values.shape, chunks=(10, 100), dtype="i4"
        )
        source[...] = values
        for name in sorted(executors, key=lambda name: name != "python"):
            result = rechunker.rechunk(
                source,
                target_chunks=(400, 7),
                max_mem=40_000,
                target_store=f"{folder}/{name}.zarr",
                temp_store=f"{folder}/{name}.temp.zarr",
                executor=name,
            ).execute()
            assert isinstance(result, zarr.Array)
            equal = np.array_equal(np.asarray(result[...]), values)
            assert equal, f"the target of {name} differs from the source"
            same = stored(Path(folder, f"{name}.zarr")) == stored(Path(folder, "python.zarr"))
            assert same, f"the bytes that {name} stored differ from those of python"
            print(f"{name}: equal")


if __name__ == "__main__":
    main(sys.argv[1:])
