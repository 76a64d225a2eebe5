"""What runs leave behind when they are killed or fail is found and removed, and nothing else."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from crashing import Server, make_source, plan
from zarr.buffer import cpu
from zarr.storage import MemoryStore, ZipStore

import rechunker
from rechunker import TargetInUseError, clean, leftovers
from rechunker.stores import CLAIM, JOURNAL, Holder, holders

KILLED = -9
module: Any = sys.modules["rechunker.stores.leftovers"]
PARTIAL = "0.0123456789abcdef0123456789abcdef.partial"

pytestmark = [
    pytest.mark.filterwarnings("ignore:Object at .* is not recognized"),
    pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated metadata"),
]


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def kinds(found: tuple[rechunker.Leftover, ...]) -> list[str]:
    return sorted(one.kind for one in found)


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a run has left that was killed while it copied."""
    folder = tmp_path_factory.mktemp("runs") / "killed"
    folder.mkdir()
    make_source("array", folder / "source")
    with Server() as ask:
        for last in range(60, 400, 20):
            assert ask("array", folder, last) == KILLED
            if any(key.count("/") > 2 for key in tree(folder / "temp")):
                return folder
    raise AssertionError("no run was killed after it had stored temporary objects")


@pytest.fixture
def killed(killed_once: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "killed"
    os.system(f"cp -a {killed_once} {copy}")
    return copy


def interrupted(folder: Path, kind: str) -> None:
    """Leave what a run leaves that fails."""
    make_source(kind, folder / "source")

    def fail(done: int, total: int, nbytes: int) -> None:
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        plan(kind, folder).execute(progress=fail)


def test_what_a_killed_run_has_left_is_removed(killed: Path) -> None:
    before = tree(killed)
    assert kinds(leftovers(killed / "target")) == ["claim", "journal"]
    assert kinds(leftovers(killed / "temp")) == ["temporary objects"]
    assert kinds(leftovers(killed)) == ["claim", "journal", "temporary objects"]
    assert tree(killed) == before
    removed = clean(killed)
    assert kinds(removed) == ["claim", "journal", "temporary objects"]
    assert leftovers(killed) == ()
    assert clean(killed) == ()
    left = {key for key in before if not any(key.startswith(one.key) for one in removed)}
    assert tree(killed) == left
    assert not [key for key in left if CLAIM in key or JOURNAL in key or "rechunker" in key]


def test_the_text_says_whose_it_was(killed: Path) -> None:
    text = "\n".join(map(str, leftovers(killed)))
    assert f"claim at target/{CLAIM}, since 20" in text
    assert "by process " in text
    assert "temporary objects at temp/rechunker-" in text
    assert "objects), since 20" in text


def test_the_same_plan_works_after_cleaning(killed: Path) -> None:
    clean(killed)
    target = plan("array", killed).execute(resume=True)
    np.testing.assert_array_equal(target[...], zarr.open_array(killed / "source")[...])
    assert leftovers(killed) == ()


@pytest.mark.parametrize("kind", ["array", "group", "dataset"])
def test_what_a_failed_run_has_left_is_removed(kind: str, tmp_path: Path) -> None:
    interrupted(tmp_path, kind)
    assert kinds(leftovers(tmp_path)) == ["journal", "temporary objects"]
    assert kinds(clean(tmp_path)) == ["journal", "temporary objects"]
    assert leftovers(tmp_path) == ()
    plan(kind, tmp_path).execute()
    assert leftovers(tmp_path) == ()


def test_what_belongs_to_a_run_that_goes_on_stays(tmp_path: Path) -> None:
    make_source("array", tmp_path / "source")
    seen: list[Any] = []

    def look(done: int, total: int, nbytes: int) -> None:
        seen.append(leftovers(tmp_path))
        seen.append(clean(tmp_path, unknown=True))

    target = plan("array", tmp_path).execute(progress=look, verify=True)
    np.testing.assert_array_equal(target[...], zarr.open_array(tmp_path / "source")[...])
    assert set(seen) == {()}


@pytest.mark.parametrize("place", ["target", "temp"])
def test_a_plan_that_runs_without_execute_keeps_what_it_has(place: str, tmp_path: Path) -> None:
    """Nobody knows where its tasks run."""
    make_source("array", tmp_path / "source")
    planned = plan("array", tmp_path)
    states: set[str] = set()

    def look(done: int, total: int, nbytes: int) -> None:
        states.update(one.state for one in leftovers(tmp_path / place))
        assert clean(tmp_path / place) == ()

    planned.plan(progress=look)
    assert states == {"unknown"}
    assert leftovers(tmp_path) == ()
    np.testing.assert_array_equal(
        zarr.open_array(tmp_path / "target")[...], zarr.open_array(tmp_path / "source")[...]
    )


def test_a_process_that_may_not_be_looked_at_is_no_dead_one(monkeypatch: Any) -> None:
    there = Holder.here("run", "execution")
    monkeypatch.setattr(holders, "_born", lambda pid: "")
    monkeypatch.setattr(os, "getpid", lambda: there.pid + 1)
    assert not there.is_gone
    monkeypatch.setattr(holders, "boot_id", lambda: "another container")
    assert not there.is_on_this_host


def test_runs_of_other_computers_are_asked_about(killed: Path) -> None:
    for claim in killed.rglob(CLAIM):
        claim.write_text(json.dumps({**json.loads(claim.read_text()), "host": "elsewhere"}))
    before = tree(killed)
    assert {one.state for one in leftovers(killed)} == {"unknown"}
    assert "whether that run goes on is unknown" in str(leftovers(killed)[0])
    assert clean(killed) == ()
    assert tree(killed) == before
    assert len(clean(killed, unknown=True)) == 3
    assert leftovers(killed) == ()


def test_a_claim_that_cannot_be_read_is_removed_on_request(killed: Path) -> None:
    (killed / "target" / CLAIM).write_text('{"run": ')
    assert [one.state for one in leftovers(killed / "target")] == ["unknown", "unknown"]
    assert clean(killed / "target") == ()
    assert kinds(clean(killed / "target", unknown=True)) == ["claim", "journal"]
    assert leftovers(killed / "target") == ()


@pytest.mark.parametrize(
    ("place", "words"),
    [("target", "another run writes to the target"), ("temp", "a run goes on with temporary obj")],
)
def test_a_run_that_goes_on_in_the_meantime_keeps_what_it_has(
    place: str, words: str, killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = module._find

    def slow_find(at: Any) -> list[rechunker.Leftover]:
        found = list(find(at))
        for claim in killed.rglob(CLAIM):
            parent = {"pid": os.getppid(), "born": born(os.getppid())}
            claim.write_text(json.dumps({**json.loads(claim.read_text()), **parent}))
        return found

    monkeypatch.setattr(module, "_find", slow_find)
    before = tree(killed)
    with pytest.raises(TargetInUseError, match=words):
        clean(killed / place)
    assert tree(killed) == before


def born(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_partial_files_are_removed_when_they_are_old(tmp_path: Path) -> None:
    zarr.create_array(tmp_path, shape=(4,), chunks=(2,), dtype="i4")[...] = 1
    old, young = tmp_path / "c" / PARTIAL, tmp_path / "c" / f"1{PARTIAL[1:]}"
    other = tmp_path / "c" / "0.mine.partial"
    for path in (old, young, other):
        path.write_bytes(b"part")
    for path in (old, other):
        os.utime(path, (time.time() - 7200,) * 2)
    assert [one.key for one in clean(tmp_path)] == [f"c/{PARTIAL}"]
    assert young.exists()
    assert other.exists()
    assert np.all(np.asarray(zarr.open_array(tmp_path)[...]) == 1)


def test_claims_that_were_cut_off_hide_nothing(killed: Path) -> None:
    (folder,) = (killed / "temp").iterdir()
    (folder / f"{CLAIM}.{PARTIAL.split('.')[1]}.partial").write_text("{")
    assert kinds(leftovers(killed / "temp")) == ["temporary objects"]
    clean(killed)
    assert not folder.exists()


def test_nothing_of_others_is_touched(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "g")
    names = ("rechunker-data", "journal", "rechunker-0123456789abcdef")
    for name in (*names, f"rechunker-digest-{'0123456789abcdef' * 2}"):
        group.create_array(name, shape=(4,), chunks=(2,), dtype="i4")[...] = 1
    for name in (f"{CLAIM}.txt", f"{CLAIM}-notes", f"a{JOURNAL}/plan", "rechunker-12/0/1"):
        (tmp_path / "g" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "g" / name).write_text("mine")
    before = tree(tmp_path)
    assert leftovers(tmp_path) == ()
    assert clean(tmp_path, unknown=True) == ()
    assert tree(tmp_path) == before


def test_marks_and_sums_of_digests_are_found(tmp_path: Path) -> None:
    gone = json.dumps({**holder_here(), "pid": 2**22 + 1}).encode()
    store, execution = MemoryStore(), "0123456789abcdef" * 2
    for key in (f"x/{CLAIM}-{execution}", f"x/rechunker-digest-{execution}/{CLAIM}"):
        store._store_dict[key] = cpu.Buffer.from_bytes(gone)
    store._store_dict[f"x/rechunker-digest-{execution}/0/once/0/0-1"] = cpu.Buffer.from_bytes(b"1")
    assert kinds(clean(store)) == ["mark", "temporary objects"]
    assert not store._store_dict


def holder_here() -> dict[str, Any]:
    return dict(json.loads(Holder.here("run", "execution").pack().to_bytes()))


def test_digests_leave_nothing_and_are_left_alone(tmp_path: Path) -> None:
    make_source("array", tmp_path / "source")
    seen: list[Any] = []
    rechunker.digest(
        tmp_path / "source",
        temp_store=tmp_path / "temp",
        progress=lambda *_: seen.append(leftovers(tmp_path / "temp")),
    )
    assert set(seen) == {()}
    assert leftovers(tmp_path) == ()


def test_stores_that_hold_no_claims_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot list and delete objects"):
        leftovers(ZipStore(tmp_path / "a.zip", mode="w"))
