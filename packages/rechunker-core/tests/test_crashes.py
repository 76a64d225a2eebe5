"""Runs that are killed at any moment go on, and their target never opens before it is whole."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zarr
from crashing import Server, make_source, values
from targets import arrays, is_equal, opened

pytestmark = [
    # What is left of a run that was killed lies in the group that it was to make, or to clear.
    pytest.mark.filterwarnings("ignore:Object at .* is not recognized"),
    pytest.mark.slow,
]

KINDS = ("array", "array without temp", "array copied", "group", "dataset")
KILLED = -9
# Runs that are killed, for each kind, half of them with an old target in the place of the new one.
RUNS = 40

Ask = Callable[[str, Path, int | None], int]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with Server() as ask:
        yield ask


def put_old_target(kind: str, folder: Path) -> None:
    """Put something at the target that the run replaces."""
    (folder / "overwrite").touch()
    if kind.startswith("array"):
        old = zarr.create_array(folder / "target", shape=(40, 30), chunks=(7, 7), dtype="f8")
        old[...] = -values(9, (40, 30))
    else:
        group = zarr.create_group(folder / "target")
        for name in ("a", "v", "other"):
            group.create_array(name, shape=(24, 18), chunks=(5, 5), dtype="f8")[...] = -1


def told(folder: Path) -> dict[str, int]:
    return dict(json.loads(Path(f"{folder}.told").read_text()))


def tasks_done(folder: Path) -> int:
    done = Path(f"{folder}.done")
    return done.stat().st_size if done.exists() else 0


def whole_run(kind: str, ask: Ask, folder: Path) -> dict[str, int]:
    """Execute the plan of a folder in a copy of it, and return what that took."""
    copy = folder.with_name("whole")
    shutil.copytree(folder, copy)
    assert ask(kind, copy, None) == 0
    shutil.rmtree(copy)
    Path(f"{copy}.done").unlink()
    return told(copy)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_killed_goes_on(kind: str, ask: Ask, tmp_path: Path) -> None:
    """It is killed up to three times, and done again is at most the task that was under way."""
    rng = random.Random(kind)
    make_source(kind, tmp_path / "source")
    wanted, wholes = arrays(tmp_path / "source"), list[dict[str, int]]()
    for number in range(RUNS):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "source", folder / "source")
        old = None
        if number % 2:
            put_old_target(kind, folder)
            old = arrays(folder / "target")
        if number < 2:  # without an old target, and with one
            wholes.append(whole_run(kind, ask, folder))
        whole = wholes[number % 2]
        codes: list[int] = []
        journal, is_over = folder / "target" / ".rechunker-journal" / "plan", False
        while len(codes) < 1 + number % 3 and not is_over:
            codes.append(ask(kind, folder, rng.randint(1, whole["events"])))
            state = f"{kind}, run {number}, {codes}"
            assert codes[-1] in (0, KILLED), state
            found = opened(folder / "target")
            assert found is None or is_equal(found, wanted) or is_equal(found, old), state
            is_over = is_equal(found, wanted) and not journal.exists()
        if not is_over:
            done = tasks_done(folder)
            assert ask(kind, folder, None) == 0, state
            again = done + told(folder)["tasks"] - whole["tasks"]
            assert again <= len(codes), f"{state}: {again} tasks were done again"
            assert not [*(folder / "target").glob(".rechunker*")], state
        assert is_equal(opened(folder / "target"), wanted), state
        assert not [*(folder / "temp").rglob("*")], state
