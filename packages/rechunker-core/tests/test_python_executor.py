"""The embedded executor: all cores, progress, and errors that reach the caller."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.abc.buffer import Buffer
from zarr.abc.store import Store
from zarr.storage import MemoryStore, WrapperStore

import rechunker
from rechunker.copying import CopyError
from rechunker.executors.python import PythonExecutor
from rechunker.running import available_cores
from rechunker.testing import Flaky
from rechunker.testing.ending import interrupt
from rechunker.types import CopySpec, Stage, Traffic


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(300, 150), chunks=(6, 150), dtype="i4")
    array[...] = np.arange(45000).reshape(300, 150)
    return array


def plan(source: Any, target: Any, **options: Any) -> rechunker.Rechunked[Any]:
    options = {"executor": "python", **options}
    return rechunker.rechunk(source, (300, 2), "15kB", target, temp_store={}, **options)


def test_threads_are_those_of_the_machine() -> None:
    assert PythonExecutor().threads == available_cores()


def test_number_of_threads_is_positive() -> None:
    with pytest.raises(ValueError, match="threads must be 1 or more, got 0"):
        PythonExecutor(threads=0)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_any_number_of_threads(source: zarr.Array[Any], threads: int) -> None:
    executor = PythonExecutor(threads)
    np.testing.assert_array_equal(plan(source, {}, executor=executor).execute()[...], source[...])


def test_plan_is_a_function_of_no_arguments(source: zarr.Array[Any], tmp_path: Path) -> None:
    plan(source, tmp_path / "t").plan()
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "t")[...], source[...])


def test_progress_is_reported_after_every_task(source: zarr.Array[Any]) -> None:
    seen: list[tuple[int, int, int]] = []
    rechunked = plan(source, {})
    rechunked.execute(progress=lambda *state: seen.append(state))
    stages = rechunked.copy_plan[""].stages
    tasks = sum(stage.tasks for stage in stages)
    assert [done for done, _, _ in seen] == list(range(1, tasks + 1))
    assert {total for _, total, _ in seen} == {tasks}
    assert seen[-1][2] == sum(stage.bytes_read + stage.bytes_written for stage in stages)


def test_progress_bar(source: zarr.Array[Any], capsys: pytest.CaptureFixture[str]) -> None:
    plan(source, {}).execute(progress=True)
    assert "100%" in capsys.readouterr().err


def test_nothing_is_printed(source: zarr.Array[Any], capfd: pytest.CaptureFixture[str]) -> None:
    plan(source, {}).execute()
    assert capfd.readouterr() == ("", "")


def test_executor_may_be_set_up_with_retries(tmp_path: Path) -> None:
    executor = PythonExecutor(retries=1)
    specs = [CopySpec("a", (Stage("a: flaky", 3, Flaky(tmp_path, times=1)),))]
    assert executor.prepare_plan(specs)().tasks == 3


def test_negative_retries_are_refused(source: zarr.Array[Any]) -> None:
    with pytest.raises(ValueError, match="retries must be 0 or more, got -1"):
        PythonExecutor(retries=-1)
    with pytest.raises(ValueError, match="retries must be 0 or more, got -2"):
        plan(source, {}).execute(retries=-2)


def test_unknown_keywords_are_an_error(source: zarr.Array[Any]) -> None:
    with pytest.raises(TypeError, match="takes no scheduler; execute.* takes progress, retries"):
        plan(source, {}).execute(scheduler="threads")


def test_rounds_are_kept_apart() -> None:
    done: list[str] = []

    def stage(name: str, tasks: int) -> Stage:
        def work(chosen: range) -> Any:
            for _ in chosen:
                done.append(name)
                yield Traffic(tasks=1)

        return Stage(name, tasks, work)

    specs = (CopySpec(name, (stage(f"{name}0", 2), stage(f"{name}1", 2))) for name in "ab")
    executor = PythonExecutor()
    executor.execute_plan(executor.prepare_plan(specs))
    assert done == ["a0", "a0", "b0", "b0", "a1", "a1", "b1", "b1"]


def test_an_error_names_stage_task_chunk_and_key(source: zarr.Array[Any], tmp_path: Path) -> None:
    (tmp_path / "s" / "c" / "3" / "0").write_bytes(b"nonsense")
    where = r"memory: read, task \d+, chunk \(3, 0\) at file://.*/s/c/3/0: ValueError: "
    with pytest.raises(CopyError, match=where):
        plan(source, {}).execute()


def test_threads_end_with_the_plan(source: zarr.Array[Any]) -> None:
    code = (
        "import threading, zarr, rechunker\n"
        f"source = zarr.open_array({str(source.store_path.store.root)!r})\n"  # type: ignore[attr-defined]
        "zarr.create_array({}, shape=(1,), dtype='i4')[...] = 1\n"
        "before = threading.active_count()\n"
        "options = {'temp_store': {}, 'executor': 'python'}\n"
        "rechunker.rechunk(source, (300, 2), '15kB', {}, **options).execute()\n"
        "assert threading.active_count() <= before, threading.enumerate()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Slow(WrapperStore[Store]):
    """A store that takes a while for every chunk it writes, and leaves marks when it does."""

    def __init__(self, store: Store, marks: Path) -> None:
        super().__init__(store)
        self.marks = marks

    def _with_store(self, store: Store) -> Any:
        return type(self)(store, self.marks)

    async def set(self, key: str, value: Buffer) -> None:
        if key.startswith("c/"):
            (self.marks / "begin").touch()
            await asyncio.sleep(0.3)
            (self.marks / "end").touch()
        await super().set(key, value)


@pytest.mark.parametrize("threads", [1, 2])
def test_no_object_is_written_after_an_interrupt(
    source: zarr.Array[Any], threads: int, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    rechunked = plan(source, Slow(MemoryStore(), marks), executor=PythonExecutor(threads))
    interrupt(rechunked.execute, marks)
    assert {path.name for path in marks.iterdir()} == {"begin", "end"}


def test_repr_shows_the_parts(source: zarr.Array[Any], tmp_path: Path) -> None:
    lines = repr(plan(source, tmp_path / "t")).splitlines()
    assert lines[0] == "<Rechunked>"
    assert [line[:15] for line in lines[1:4]] == [
        "* Source      :",
        "* Intermediate:",
        "* Target      :",
    ]


def test_html_shows_the_plan(source: zarr.Array[Any], tmp_path: Path) -> None:
    html = plan(source, tmp_path / "t")._repr_html_()
    assert "Intermediate" in html
    assert "&lt;Array" in html


def test_rechunked_can_be_made_of_its_five_parts() -> None:
    executor = PythonExecutor()
    rechunked = rechunker.Rechunked(executor, executor.prepare_plan([]), "source", None, "target")
    assert rechunked.execute() == "target"
    assert rechunked.traffic == Traffic()
