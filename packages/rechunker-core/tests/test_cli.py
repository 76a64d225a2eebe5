"""The command line, called in this process: results, refusals, and what they leave on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import xarray as xr
import zarr
from targets import arrays, is_equal

import rechunker
from rechunker.cli import main
from rechunker.stores import JOURNAL

CHUNKS = ("--chunks", "time=-1,y=4,x=5", "--max-mem", "200kB", "--temp", "temp")
MAPS = ("maps.zarr", "series.zarr", *CHUNKS)
PYTHON = ("--executor", "python")


class Ended(NamedTuple):
    """A command that has ended: its exit code, and what it has printed."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it has printed, if that is JSON."""
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command in a folder with a group of maps."""
    monkeypatch.chdir(tmp_path)
    # No boxes around errors and helps, and no lines that end before their words.
    monkeypatch.setenv("COLUMNS", "200")
    group = zarr.create_group("maps.zarr")
    values = np.arange(40 * 8 * 10, dtype="f4").reshape(40, 8, 10)
    dims = ("time", "y", "x")
    air = group.create_array(
        "air", shape=(40, 8, 10), chunks=(2, 8, 10), dtype="f4", dimension_names=dims
    )
    air[...] = values
    times = group.create_array(
        "time", shape=(40,), chunks=(8,), dtype="i4", dimension_names=("time",)
    )
    times[...] = np.arange(40)
    capsys.readouterr()

    def run(*words: object) -> Ended:
        code = main([str(word) for word in words])
        return Ended(code, *capsys.readouterr())

    return run


def tree(folder: Path = Path()) -> dict[str, bytes]:
    """Return all that is in a folder, but for the marks of a store that look whether it is one."""
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))}


# Copies.


def test_a_group_is_copied_with_chunks_codecs_and_a_proof(run: Run) -> None:
    more = ("--chunks", "time:[40]", "--codec", "gzip:level=3", "--verify")
    ended = run("copy", *MAPS[:2], "--chunks", "air:-1,4,5", *MAPS[4:], *PYTHON, *more)
    assert (ended.code, ended.err) == (0, "")
    assert "verified: the target is equal to the source" in ended.out
    target = zarr.open_group("series.zarr")
    air = target["air"]
    assert isinstance(air, zarr.Array)
    assert air.chunks == (40, 4, 5)
    assert "gzip" in str(air.compressors).lower()
    assert is_equal(arrays("series.zarr"), arrays("maps.zarr"))


def test_the_result_is_all_that_is_printed_for_a_machine(run: Run) -> None:
    ended = run("copy", *MAPS, *PYTHON, "--json", "--verify")
    assert (ended.code, ended.err) == (0, "")
    assert ended.data["target"].endswith("/series.zarr")
    assert ended.data["report"]["traffic"]["tasks"] > 3
    assert ended.data["report"]["digests"].keys() == {"air", "time"}
    assert ended.data["left_out"] == []


def test_an_array_takes_options_shards_and_a_name(run: Run) -> None:
    zarr.create_group("there.zarr")
    options = ("--options", '{"fill_value": 7, "attributes": {"a": 1}}', "--shards", "40,8,10")
    words = ("maps.zarr/air", "there.zarr", "--array-name", "new", "--max-mem", "1MB", *options)
    assert run("copy", *words, "--chunks", "40,4,5").code == 0
    target = zarr.open_array("there.zarr/new")
    assert (target.chunks, target.shards, target.fill_value) == ((40, 4, 5), (40, 8, 10), 7)
    assert dict(target.attrs) == {"a": 1}


def test_options_of_one_array_are_stronger_than_those_of_all(run: Run) -> None:
    options = ("--options", '{"time": {"compressors": null}}', "--codec", "gzip:level=1")
    assert run("copy", *MAPS, *options).code == 0
    target = zarr.open_group("series.zarr")
    air, time = target["air"], target["time"]
    assert isinstance(air, zarr.Array)
    assert isinstance(time, zarr.Array)
    assert ("gzip" in str(air.compressors).lower(), time.compressors) == (True, ())


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_files_that_xarray_opens_are_copied(run: Run, engine: Any) -> None:
    made = xr.Dataset({"v": (("t", "x"), np.arange(400.0).reshape(40, 10), {"units": "K"})})
    made.to_netcdf("v.nc", engine=engine)
    ended = run("copy", "v.nc", "v.zarr", "--chunks", "t=-1,x=2", "--max-mem", "1MB", *PYTHON)
    assert ended.code == 0, ended.err
    assert xr.open_zarr("v.zarr", consolidated=False).load().identical(made)
    assert run("verify", "v.nc", "v.zarr").code == 0


def test_groups_in_a_file_are_not_lost(run: Run) -> None:
    inner = xr.Dataset({"w": (("t",), np.arange(40.0))})
    xr.DataTree.from_dict({"/": xr.Dataset(attrs={"a": 1}), "/b": inner}).to_netcdf("t.nc")
    assert run("copy", "t.nc", "t.zarr", "--chunks", "t=20", "--max-mem", "1MB", *PYTHON).code == 0
    copied = zarr.open_group("t.zarr")["b/w"]
    assert isinstance(copied, zarr.Array)
    assert copied.chunks == (20,)


def test_a_zarr_store_is_read_from_a_zip_or_as_a_dataset(run: Run) -> None:
    with zarr.storage.ZipStore("maps.zip", mode="w") as store:
        zarr.create_array(store, data=np.arange(40.0), chunks=(4,))
    assert run("copy", "maps.zip", "a.zarr", "--chunks", "10", "--max-mem", "1MB").code == 0
    xr.Dataset({"v": (("t",), np.arange(40))}, {"t": np.arange(40)}).to_zarr(
        "v.zarr", zarr_format=2
    )
    words = ("v.zarr", "b.zarr", "--engine", "zarr", "--chunks", "t=10", "--max-mem", "1MB")
    assert run("copy", *words, *PYTHON).code == 0
    # A coordinate is written in one chunk.
    copied = zarr.open_group("b.zarr")["t"]
    assert isinstance(copied, zarr.Array)
    assert copied.chunks == (40,)


def test_what_is_there_is_replaced_only_if_that_is_said(run: Run) -> None:
    assert run("copy", *MAPS).code == 0
    zarr.open_group("series.zarr").attrs["old"] = True
    before = tree()
    ended = run("copy", *MAPS)
    assert ended.code == 2
    assert "there is an array at" in ended.err
    assert "or give --overwrite to have execute() replace them" in ended.err
    assert tree() == before
    assert run("copy", *MAPS, "--overwrite").code == 0
    assert "old" not in zarr.open_group("series.zarr").attrs


# Plans.


@pytest.mark.parametrize("words", [("plan",), ("copy", "--dry-run"), ("copy", "--dry-run", "-v")])
def test_a_plan_and_a_dry_run_write_nothing(run: Run, words: Any) -> None:
    before = tree()
    shown = run(*words, *MAPS, *PYTHON)
    assert (shown.code, shown.err) == (0, "")
    assert "Target      : <Group file://" in shown.out
    assert re.search(r"air: \(40, 8, 10\), .* from chunks \(2, 8, 10\) -> \(40, 4, 5\)", shown.out)
    data = run(*words, *MAPS, *PYTHON, "--json").data
    assert data["arrays"]["air"]["target_chunks"] == [40, 4, 5]
    assert data["arrays"]["air"]["stages"][0]["tasks"] >= 1
    assert tree() == before


def test_a_plan_is_a_page_for_a_browser(run: Run) -> None:
    assert run("plan", *MAPS, *PYTHON, "--html", "plan.html").code == 0
    page = Path("plan.html").read_text("utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "(40, 4, 5)" in page or "40" in page


# Refusals.

REFUSED = [
    (("copy", "maps.zarr"), "Missing argument 'TARGET'"),
    (("copy", "maps.zarr", "t"), "Missing option '--max-mem'"),
    (("copy", *MAPS, "--chunk", "1"), "No such option: --chunk"),
    (("copie", *MAPS), "No such command 'copie'"),
    (("copy", "none.zarr", "t", *CHUNKS), "there is no Zarr array or group at"),
    (("copy", "maps.zarr", "t", "--chunks", "time=ten", "--max-mem", "1MB"), "'ten' is not a size"),
    (("copy", "maps.zarr", "t", "--chunks", "tim=10", "--max-mem", "1MB"), "has no 'tim'; did you"),
    (("copy", "maps.zarr", "t", "--chunks", "10,10", "--max-mem", "1MB"), "--chunks=(10, 10)"),
    (("copy", "maps.zarr", "t", "--max-mem", "lots"), "a memory size must be"),
    (("copy", "maps.zarr", "t", "--chunks", "time=40", "--max-mem", "10B"), "--max-mem"),
    (("copy", *MAPS, "--codec", "zst"), "neither zarr nor numcodecs has a codec named 'zst'"),
    (("copy", *MAPS, "--codec", "zstd:levl=3"), "unexpected keyword argument 'levl'"),
    (("copy", *MAPS, "--options", "fill_value=1"), "--options: not JSON"),
    (("copy", *MAPS, "--options", '{"air": {"shape": 1}}'), "'shape' is not allowed"),
    (("copy", *MAPS, "--shards", "time=3"), "shards"),
    (("copy", *MAPS, "--executor", "spark"), "unrecognized executor 'spark'"),
    (("copy", *MAPS, "--retries", "-1"), "'--retries'"),
    (("copy", *MAPS, "--storage-options", "anon=true"), "are for URLs"),
    (
        ("copy", *MAPS, *PYTHON, "--executor-options", "cores=3"),
        "unexpected keyword argument 'cores'",
    ),
    (("copy", *MAPS, *PYTHON, "--executor-options", "threads=0"), "threads"),
    (("plan", *MAPS, "--executor-options", "threads"), "executor options: give name=value"),
    (("copy", *MAPS, "--workers", "3"), "--workers needs --save"),
    (("copy", *MAPS, "--save", "p.json", "--resume"), "--resume and --save exclude each other"),
    (("copy", "maps.zarr", "maps.zarr/in", *CHUNKS), "maps.zarr"),
    (("copy", "bad.nc", "t", *CHUNKS), "bad.nc"),
    (("plan", *MAPS, "--resume"), "No such option: --resume"),
    (("verify", "maps.zarr"), "Missing argument 'B'"),
    (("digest", "maps.zarr", "--engine", "none"), "none"),
    (("info", "none.zarr"), "there is no Zarr array or group at"),
    (("info", "maps.zarr", "--nbytes", "1kB", "--access", "auto"), "--access auto: give numbers"),
    (("clean", "maps.zarr"), "nobody can be asked: give --yes to remove, or --dry-run to list"),
    (("run", "none.json"), "No such file"),
    (("run", "bad.nc"), "is not a plan"),
    (("run", "none.json", "--tasks", "0:1"), "need --round"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=[" ".join(w) for w, _ in REFUSED])
def test_bad_arguments_are_refused_in_a_line_before_anything_is_written(
    run: Run, words: Any, message: str
) -> None:
    Path("bad.nc").write_bytes(b"no data at all")
    before = tree()
    ended = run(*words)
    assert (ended.code, ended.out) == (2, ""), ended
    assert ended.err.startswith("Error: ")
    assert ended.err.count("\n") == 1
    assert message in ended.err
    assert tree() == before


def test_a_failure_is_one_line_and_with_verbose_the_traceback(run: Run) -> None:
    Path("maps.zarr/air/c/3/0/0").write_bytes(b"damaged")
    ended = run("copy", *MAPS, *PYTHON)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert re.match(r"Error: .*air.* chunk \(3, 0, 0\)", ended.err)
    for words in (("--verbose", "copy"), ("copy", "-v")):
        again = run(*words, *MAPS, *PYTHON)
        assert (again.code, "Traceback" in again.err) == (1, True)
        assert again.err.endswith(ended.err.split("CopyError")[-1][-30:])
    assert not Path("series.zarr/zarr.json").exists()


def test_an_executor_gets_its_options(run: Run) -> None:
    words = ("--executor-options", "threads=3", "--executor-options", '{"retries": 2}')
    shown = run("plan", *MAPS, *PYTHON, *words, "--json").data
    assert shown["executor"] == "PythonExecutor(threads=3, retries=2)"
    assert run("copy", *MAPS, *PYTHON, *words).code == 0
    for command in (("verify", "maps.zarr", "series.zarr"), ("digest", "maps.zarr")):
        assert run(*command, *words).code == 0
        refused = run(*command, "--executor-options", "cores=1")
        assert (refused.code, "cores" in refused.err) == (2, True)


def test_credentials_are_in_no_output(run: Run) -> None:
    secret = "SECRETsecretSECRET"
    url = f"http://user:{secret}@127.0.0.1:1/maps.zarr?X-Amz-Signature={secret}"
    values = (f"client_kwargs.password={secret}", f"user={secret}")
    options = tuple(word for value in values for word in ("--storage-options", value))
    for words in (
        ("copy", url, "t.zarr", "--max-mem", "1MB", "-v", *options),
        ("info", url, "-v"),
        ("verify", "maps.zarr", url, "-v", *options),
        ("copy", "maps.zarr", url, "--max-mem", "1MB", "-v", "--storage-options", f"='{secret}'"),
        ("run", secret, "-v", "--storage-options", f"token={secret}"),
    ):
        ended = run(*words)
        assert ended.code in (1, 2)
        assert secret not in ended.out + ended.err


def test_names_that_look_like_credentials_do_not_break_the_json(run: Run) -> None:
    group = zarr.create_group("odd.zarr")
    for name in ("token", "secret=1"):
        group.create_array(name, data=np.arange(3))
    digests = run("digest", "odd.zarr", "--json").data["arrays"]
    assert digests == rechunker.digest("odd.zarr").arrays


# Two sides.


def test_two_sides_are_equal_or_an_exit_code_says_that_they_are_not(run: Run) -> None:
    assert run("copy", *MAPS).code == 0
    equal = run("verify", "maps.zarr", "series.zarr")
    assert (equal.code, equal.out) == (0, f"equal: {rechunker.digest('maps.zarr')}\n")
    target = zarr.open_group("series.zarr")["air"]
    assert isinstance(target, zarr.Array)
    target[3, 0, 7] = -1
    differs = run("verify", "maps.zarr", "series.zarr")
    assert (differs.code, differs.err) == (3, "")
    assert "array 'air', chunk (0, 0, 1): values differ: elements (3, 0, 7)" in differs.out
    data = run("verify", "maps.zarr", "series.zarr", "--json")
    assert (data.code, data.data["equal"]) == (3, False)
    assert data.data["differences"][0]["elements"] == [[3, 0, 7]]


def test_digests_are_those_of_the_library(run: Run) -> None:
    digest = rechunker.digest("maps.zarr")
    lines = run("digest", "maps.zarr").out.splitlines()
    assert lines == [str(digest), f"{digest.arrays['air']}  air", f"{digest.arrays['time']}  time"]
    assert run("digest", "maps.zarr/air", "--json").data["digest"] == digest.arrays["air"]


# What is there.


def test_arrays_are_shown_with_sizes_codecs_and_suggestions(run: Run) -> None:
    shown = run("info", "maps.zarr", "--nbytes", "2kB", "--access", "time=1", "--access", "y=1,x=1")
    assert shown.code == 0
    assert "air (time=40, y=8, x=10) float32, 12.8 kB, " in shown.out
    assert "  chunks (2, 8, 10): 20 of 640 B\n" in shown.out
    assert "  codecs zstd:level=0" in shown.out
    assert "  for reads of (1, 8, 10) and (40, 1, 1):\n    --chunks time=" in shown.out
    air, time = run("info", "maps.zarr", "--nbytes", "2kB", "--json").data["arrays"]
    assert (air["chunks"], air["nbytes"], time["suggestions"]) == ([2, 8, 10], 12800, [])
    assert air["stored"] == sum(p.stat().st_size for p in Path("maps.zarr/air").rglob("*.*")) + sum(
        p.stat().st_size for p in Path("maps.zarr/air/c").rglob("*") if p.is_file()
    )
    # What is suggested can be used as it is.
    text = air["suggestions"][0]["text"]
    chunks = ("--chunks", text, "--max-mem", "1MB")
    assert run("copy", "maps.zarr/air", "best.zarr", *chunks).code == 0
    assert list(zarr.open_array("best.zarr").chunks) == air["suggestions"][0]["chunks"]


def test_a_source_that_cannot_be_read_is_named(run: Run) -> None:
    folder = Path("maps.zarr/sea")
    folder.mkdir()
    (folder / "zarr.json").write_text(
        Path("maps.zarr/air/zarr.json").read_text().replace('"zstd"', '"my-codec"')
    )
    ended = run("info", "maps.zarr")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "array 'sea' cannot be opened: " in ended.err
    (folder / "zarr.json").unlink()
    Path("maps.zarr/loop").symlink_to(folder.parent.absolute())
    circle = run("info", "maps.zarr")
    assert (circle.code, circle.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("codec", ["blosc:cname=lz4,clevel=7", "zstd:level=7,checksum=true"])
def test_codecs_are_shown_as_they_are_given(run: Run, zarr_format: Any, codec: str) -> None:
    options = ("--options", json.dumps({"zarr_format": zarr_format}), "--codec", codec)
    assert run("copy", "maps.zarr/air", "b.zarr", "--max-mem", "1MB", *options).code == 0
    (shown,) = run("info", "b.zarr", "--json").data["arrays"]
    (text,) = shown["codecs"]
    assert "level=7" in text
    assert ("=true" in text.lower()) == codec.endswith("true")
    again = ("copy", "b.zarr", "c.zarr", "--max-mem", "1MB", "--codec", text)
    assert run(*again).code == 0
    assert run("info", "c.zarr", "--json").data["arrays"][0]["codecs"] == [text]


def test_executors_are_listed_with_what_to_install(run: Run) -> None:
    listed = {each["name"]: each for each in run("executors", "--json").data}
    assert listed["python"]["package"] == "rechunker-core"
    assert listed["python"]["version"] == rechunker.__version__
    assert {name for name, each in listed.items() if each["installed"]} == set(
        rechunker.plugins.list_executors()
    )
    lines = run("executors").out.splitlines()
    missing = [each["name"] for each in listed.values() if not each["installed"]]
    assert [line.split()[0] for line in lines if "pip install rechunker-" in line] == missing
    assert sum(line.endswith("(default)") for line in lines) == 1


def test_what_is_left_is_listed_and_removed(run: Run) -> None:
    Path("maps.zarr/air/c/3/0/0").write_bytes(b"damaged")
    assert run("copy", *MAPS, *PYTHON).code == 1
    listed = run("clean", ".", "--dry-run")
    assert (listed.code, f"journal at series.zarr/{JOURNAL}" in listed.out) == (0, True)
    assert Path("series.zarr", JOURNAL).exists()
    removed = run("clean", ".", "--yes", "--json").data
    assert {(each["kind"], each["removed"]) for each in removed} >= {("journal", True)}
    assert not Path("series.zarr", JOURNAL).exists()
    assert run("clean", ".", "--yes").out == "nothing is left\n"


# Saved plans.


def test_a_saved_plan_is_run_share_by_share(run: Run) -> None:
    saved = run("copy", *MAPS, "--save", "plan.json", "--workers", "3", "--verify")
    assert (saved.code, saved.out.startswith("saved: ")) == (0, True)
    assert not Path("series.zarr").exists()
    assert run("copy", *MAPS, "--save", "plan.json").code == 2
    rounds = run("run", "plan.json", "--json").data["rounds"]
    lines = [line.split() for line in run("run", "plan.json").out.splitlines()]
    assert [(int(n), int(tasks)) for n, tasks, *_ in lines] == [
        (each["round"], each["tasks"]) for each in rounds
    ]
    early = run("run", "plan.json", "--round", 0)
    assert (early.code, "call start() once" in early.err) == (1, True)
    assert run("run", "plan.json", "--start").code == 0
    for each in rounds:
        number, count = each["round"], each["tasks"]
        assert run("run", "plan.json", "--round", number, "--left").out == f"0:{count}\n"
        assert run("run", "plan.json", "--round", number, "--tasks", "0").code == 0
        assert run("run", "plan.json", "--round", number, "--tasks", f"0:{count}").code == 0
        assert run("run", "plan.json", "--round", number, "--share", "1/2").code == 0
        assert run("run", "plan.json", "--round", number, "--left").out == ""
    published = run("run", "plan.json", "--publish", "--json").data
    assert published["target"].endswith("series.zarr")
    assert is_equal(arrays("series.zarr"), arrays("maps.zarr"))


@pytest.mark.parametrize(
    "words",
    [
        *(("--tasks", "x"), ("--tasks", "2:1"), ("--tasks", "0:99999"), ("--tasks", "-1")),
        *(("--share", "2/2"), ("--share", "1"), ("--share", "1/2", "--tasks", "0")),
    ],
)
def test_tasks_that_a_plan_does_not_have_are_refused(run: Run, words: Any) -> None:
    assert run("copy", *MAPS, "--save", "plan.json").code == 0
    ended = run("run", "plan.json", "--round", "0", *words)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert run("run", "plan.json", "--round", "9").code == 2


# The program.


def test_the_program_has_a_version_a_help_and_says_what_its_exit_codes_mean(run: Run) -> None:
    assert run("--version").out == f"rechunker {rechunker.__version__}\n"
    for words in ((), ("--help",)):
        shown = run(*words)
        assert (shown.code, "Exit codes: 0 all went well, 1 failed" in shown.out) == (
            (0 if words else 2),
            True,
        )
    assert "--storage-options" in run("copy", "--help").out
