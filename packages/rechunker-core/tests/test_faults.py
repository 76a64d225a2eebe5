"""Faults end a run with an error, leave no target that opens, and it can be resumed."""

from __future__ import annotations

import errno
import json
import random
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from crashing import Server, make_source, plan
from targets import arrays

from rechunker import CopyError, clean, leftovers
from rechunker.stores import JOURNAL

pytestmark = [
    pytest.mark.filterwarnings("ignore:Object at .* is not recognized"),
    pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated metadata"),
    pytest.mark.slow,
]

ERRORS = ("ENOSPC", "EACCES", "EROFS", "EIO")
KINDS = ("array", "array without temp", "array copied", "group", "dataset")
# Runs with each error in the target, and in the temp store.
RUNS = 6

Ask = Callable[..., int]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with Server() as ask:
        yield ask


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {kind: tmp_path_factory.mktemp("source") / "source" for kind in KINDS}
    for kind, path in made.items():
        make_source(kind, path)
    return made


def check_unfinished(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        zarr.open(folder / "target", mode="r")


def check_whole(folder: Path) -> None:
    found, wanted = arrays(folder / "target"), arrays(folder / "source")
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])
    assert leftovers(folder) == ()


def told(folder: Path) -> dict[str, Any]:
    return dict(json.loads(Path(f"{folder}.told").read_text()))


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("place", ["target", "temp"])
def test_what_cannot_be_written_ends_a_run_that_can_be_resumed(
    name: str, place: str, ask: Ask, sources: dict[str, Path], tmp_path: Path
) -> None:
    rng, failed = random.Random(f"{name} {place}"), 0
    kinds = KINDS if place == "target" else ("array", "group")
    for number in range(RUNS):
        kind, folder = kinds[number % len(kinds)], tmp_path / str(number)
        shutil.copytree(sources[kind], folder / "source")
        last = rng.randint(1, 60 if place == "target" else 25)
        code = ask(kind, folder, last, number=getattr(errno, name), place=place)
        if code:
            failed += 1
            check_error(told(folder)["error"], name, folder / place)
            if not (folder / "target" / "zarr.json").exists():
                check_unfinished(folder)
                assert ask(kind, folder, None) == 0
            clean(folder)  # a run may fail when all is published, and it cannot delete its claim
        check_whole(folder)
    assert failed > RUNS // 2


def check_error(error: str, name: str, place: Path) -> None:
    """An error says what is wrong and where, and if a task has met it, array and chunk."""
    assert any(word in error for word in (f"[Errno {getattr(errno, name)}]", "Error")), error
    assert str(place) in error, error
    if error.startswith("CopyError"):
        assert ", task " in error, error
        assert "chunk (" in error or "temporary object " in error, error
    else:  # the claim, the journal, or the metadata
        assert any(f".rechunker-{word}" in error for word in ("claim", "journal")) or (
            "zarr.json" in error or error.count("/") > 1
        ), error


def test_an_error_that_happens_once_is_survived_with_retries(
    ask: Ask, sources: dict[str, Path], tmp_path: Path
) -> None:
    rng = random.Random(0)
    for number in range(RUNS):
        kind, folder = KINDS[number % len(KINDS)], tmp_path / str(number)
        shutil.copytree(sources[kind], folder / "source")
        blow = {"number": errno.EIO, "once": True, "place": "target/c", "retries": 2}
        assert ask(kind, folder, rng.randint(1, 20), **blow) == 0
        check_whole(folder)


@pytest.mark.parametrize("kind", ["array", "group"])
def test_an_interrupt_ends_a_run_within_a_second(
    kind: str, ask: Ask, sources: dict[str, Path], tmp_path: Path
) -> None:
    rng, interrupted = random.Random(kind), 0
    for number in range(RUNS):
        folder = tmp_path / str(number)
        shutil.copytree(sources[kind], folder / "source")
        code = ask(kind, folder, rng.randint(60, 300), signal=signal.SIGINT)
        if code and told(folder)["seconds"]:
            interrupted += 1
            assert told(folder)["error"].startswith("KeyboardInterrupt")
            assert told(folder)["seconds"] < 2  # a busy machine may take longer than it should
            assert told(folder)["later"] == []
        # It may come when all is published, and not all is cleaned up.
        if code and (leftovers(folder) or not (folder / "target" / "zarr.json").exists()):
            assert ask(kind, folder, None) == 0
        check_whole(folder)
    assert interrupted > 1  # others were done before it came


def test_a_terminated_run_can_be_resumed(
    ask: Ask, sources: dict[str, Path], tmp_path: Path
) -> None:
    for number, last in enumerate(range(60, 220, 16)):
        folder = tmp_path / str(number)
        shutil.copytree(sources["array"], folder / "source")
        assert ask("array", folder, last, signal=signal.SIGTERM) == -signal.SIGTERM
        check_unfinished(folder)
        assert ask("array", folder, None) == 0
        check_whole(folder)


@pytest.mark.parametrize("gone", ["target", "temp", f"target/{JOURNAL}"])
@pytest.mark.parametrize("task", [3, 12])
def test_a_folder_that_is_deleted_in_the_middle_ends_a_run_that_can_be_resumed(
    gone: str, task: int, sources: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(sources["array"], tmp_path / "source")

    def delete(done: int, total: int, nbytes: int) -> None:
        if done == task:
            shutil.rmtree(tmp_path / gone)

    if gone.endswith(JOURNAL):  # it is of no use to a run that does not stop
        plan("array", tmp_path).execute(progress=delete)
    else:
        with pytest.raises(Exception, match="target|temporary object"):
            plan("array", tmp_path).execute(progress=delete)
        check_unfinished(tmp_path)
        plan("array", tmp_path).execute(resume=True)
    check_whole(tmp_path)


@pytest.mark.parametrize("task", [1, 9, 15])
def test_a_file_system_that_takes_no_more_bytes(
    task: int, sources: dict[str, Path], tmp_path: Path
) -> None:
    """Files are opened, but nothing can be written to them, as on a disk that is full."""
    shutil.copytree(sources["array"], tmp_path / "source")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(done: int, total: int, nbytes: int) -> None:
        if done == task:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))

    planned = plan("array", tmp_path)
    try:
        with pytest.raises((CopyError, OSError), match="File too large"):
            planned.execute(progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    check_unfinished(tmp_path)
    planned.execute(resume=True)
    check_whole(tmp_path)
