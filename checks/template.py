"""Check what the template for executors makes: the example, and an executor that rechunks."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import zarr

import rechunker

BUILT = ("__pycache__", ".pytest_cache", ".gitignore")


def contents(folder: Path) -> dict[str, str]:
    """Return the texts of all files that people wrote, by relative path."""
    files = (path for path in folder.rglob("*") if path.is_file() and not {*path.parts} & {*BUILT})
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in files}


def check_example(made: Path, example: Path) -> None:
    """Fail if the template does not make the example package as it is."""
    made_files, files = contents(made), contents(example)
    different = {path for path in made_files | files if made_files.get(path) != files.get(path)}
    assert not different, (
        f"the template makes other files than those of {example}: {sorted(different)}. Change both "
        f"alike, or copy what it makes from {made}"
    )


def check_executor(name: str) -> None:
    """Fail if an executor that is asked for by name does not rechunk an array."""
    values = np.random.default_rng(0).integers(1, 100, (400, 400), dtype="i4")
    with tempfile.TemporaryDirectory() as folder:
        source = zarr.create_array(f"{folder}/source", data=values, chunks=(10, 100))
        seen: list[int] = []
        rechunked = rechunker.rechunk(
            source, (400, 7), 40_000, f"{folder}/target", temp_store=f"{folder}/x", executor=name
        )
        target = rechunked.execute(retries=1, progress=lambda done, *_: seen.append(done))
        assert np.array_equal(np.asarray(target[...]), values), "the target differs"
        assert rechunked.executor.shares_memory
        assert rechunked.traffic is not None
        assert seen[-1] == sum(stage.tasks for stage in rechunked.copy_plan[""].stages)


if __name__ == "__main__":
    check_example(Path(sys.argv[1]), Path(sys.argv[2]))
    check_executor(sys.argv[3])
    print(f"{sys.argv[3]}: rechunks as rechunk(..., executor={sys.argv[3]!r}) asks for")
