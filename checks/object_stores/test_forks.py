"""No process that has used obstore is forked: its threads would be missing in the child."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from crashing import make_source
from s3 import BUCKET, storage_options

from rechunker.plugins import list_executors

PROGRAM = """
import sys
import zarr
import rechunker

def engine(name):
    if name == "python":
        return name
    if name == "pywren":
        from rechunker.executors.pywren import PywrenExecutor
        return PywrenExecutor(workers=2)
    if name == "dask":
        from rechunker.executors.dask import DaskExecutor
        return DaskExecutor(scheduler="processes", workers=2)
    from rechunker.executors.beam import BeamExecutor
    options = {"direct_running_mode": "multi_processing", "direct_num_workers": 2}
    return BeamExecutor(options=options)

if __name__ == "__main__":
    folder, name, place, options = sys.argv[1:]
    options = eval(options)
    source = zarr.open_array(folder, mode="r")
    rechunked = rechunker.rechunk(
        source, (40, 3), "6kB", f"{place}/t", temp_store=f"{place}/x",
        executor=engine(name), storage_options=options,
    )
    assert "object_store://S3Store" in repr(rechunked)  # it has looked what is there
    rechunked.execute()
    assert rechunker.verify(source, f"{place}/t", storage_options=options)
"""
WATCH = Path(__file__).with_name("watch")


def run(program: str, forks: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of which each process notes its forks."""
    forks.mkdir()
    file = forks.with_suffix(".py")
    file.write_text(program)
    path = os.pathsep.join([str(WATCH), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "RECHUNKER_FORKS": str(forks)}
    command = [sys.executable, str(file), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("name", sorted({*list_executors()} - {"prefect"}))
def test_no_process_that_has_used_obstore_is_forked(
    name: str, any_endpoint: str, tmp_path: Path
) -> None:
    make_source("array", tmp_path / "s")
    place, options = f"s3://{BUCKET}/forks-{name}", storage_options("obstore", any_endpoint)
    done = run(PROGRAM, tmp_path / "f", str(tmp_path / "s"), name, place, repr(options))
    assert done.returncode == 0, done.stderr
    assert [path.read_text() for path in (tmp_path / "f").iterdir()] == []


@pytest.mark.parametrize(("first", "noted"), [("import obstore", 1), ("", 0)])
def test_a_fork_would_be_noted(first: str, noted: int, tmp_path: Path) -> None:
    program = (
        f"import os, warnings\n{first}\nwarnings.simplefilter('ignore')\nos.fork() or os._exit(0)"
    )
    done = run(program, tmp_path / "f")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "f").iterdir())) == noted
