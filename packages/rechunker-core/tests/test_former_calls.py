"""Calls of Rechunker 0.5: they work, or say what to do instead."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from cases import about

import rechunker
from rechunker.executors.python import PythonExecutor

fsspec: Any = import_module("fsspec")  # it has no types

GONE = {
    "rechunker.algorithm": {
        "rechunking_plan": r"use rechunker\.plan_rechunk\(shape,",
        "consolidate_chunks": "plan_rechunk",
        "prod": r"use math\.prod",
    },
    "rechunker.types": {"ParallelPipelines": "writing-an-executor", "ArrayProxy": "copy specs"},
    "rechunker.executors": {"PythonPipelineExecutor": r"use .*\.executors\.python\.PythonExecutor"},
}


def test_what_is_gone_says_what_to_use_instead() -> None:
    for module, names in GONE.items():
        for name, message in names.items():
            with about(module, name), pytest.raises(ImportError, match=message):
                exec(f"from {module} import {name}")
        assert not hasattr(import_module(module), "__wrapped__")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from rechunker.types import nothing")


def test_executors_are_found_where_they_were() -> None:
    from rechunker import executors

    assert executors.PythonExecutor is PythonExecutor
    assert not hasattr(executors, "NothingExecutor")


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(40, 30), chunks=(2, 30), dtype="i4")
    array[...] = np.arange(1200).reshape(40, 30) + 1
    return array


def test_the_folder_of_the_temp_store_may_be_removed_after_a_run(
    tmp_path: Path, source: zarr.Array[Any]
) -> None:
    """Whether a plan uses it or not, and in whatever form it is given."""
    fs = fsspec.filesystem("file")
    temps: dict[str, Any] = {
        "path": str(tmp_path / "path"),
        "deep": tmp_path / "deep/er",
        "mapper": fsspec.get_mapper(str(tmp_path / "mapper")),
        "group": zarr.create_group(tmp_path / "group"),
    }
    for max_mem, hops in (("2kB", True), ("10MB", False)):
        for name, temp in temps.items():
            with about(max_mem, name):
                options = {"overwrite": True}
                plan = rechunker.rechunk(
                    source, (40, 2), max_mem, tmp_path / "t", options, temp, executor="python"
                )
                assert bool(plan.copy_plan[""].hops) == hops
                plan.execute()
                folder = tmp_path / ("deep/er" if name == "deep" else name)
                assert [path.name for path in folder.iterdir()] in ([], ["zarr.json"])
                fs.rm(str(folder), recursive=True)
                plan.execute()
                shutil.rmtree(folder)


def test_a_mapping_as_temp_store_may_be_cleared(tmp_path: Path, source: zarr.Array[Any]) -> None:
    temp = fsspec.get_mapper(str(tmp_path / "x"))
    rechunker.rechunk(
        source, (40, 2), "2kB", tmp_path / "t", temp_store=temp, executor="python"
    ).execute()
    temp.clear()
    assert list(temp) == []


def install(version: str, site: Path) -> None:
    """Make a folder of packages in which Rechunker and the former distribution are one folder."""
    info = site / f"rechunker-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rechunker\nVersion: {version}\n")


def test_a_former_version_in_the_same_folder_is_found(tmp_path: Path) -> None:
    package = Path(rechunker.__file__).parent
    program = "import rechunker; print(rechunker.__file__)"
    for place, is_same in (("same", True), ("other", False)):
        site = tmp_path / place
        install("0.5.4", site)
        if is_same:
            shutil.copytree(package, site / "rechunker")
        else:
            (site / "rechunker").mkdir()
            (site / "rechunker/__init__.py").touch()
        paths = [str(site), str(package.parent)]
        command = f"import sys; sys.path[:0] = {paths if is_same else paths[::-1]!r}; {program}"
        done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
        with about(place, done):
            assert str(site if is_same else package) in done.stdout
            assert ("rechunker 0.5.4 is installed in the same folder" in done.stderr) == is_same
            assert ("pip uninstall rechunker rechunker-core" in done.stderr) == is_same


def test_nothing_is_found_where_nothing_is() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rechunker._warn_of_former()
