"""Run Xarray's own tests of Zarr with a rechunk between what they write and what they read.

Needs pip, which downloads the source distribution of the installed version of Xarray, and what
Xarray's tests need. The tests are run as they are, then again in each way that
`rechunked_reads` knows; the program fails if a test fails then that did not fail before, unless
`EXPECTED` says why, and if one that is in `EXPECTED` does not fail.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Classes of tests, by their files. TestZarrWriteEmpty has all tests of TestZarrDirectoryStore. Not
# those that count the calls of a store (TestInstrumentedZarrStore), or read chunks of several sizes
# that they declare experimental (TestZarrRectilinearChunksRead).
CLASSES = {
    "test_backends.py": (
        *("TestZarrDictStore", "TestZarrWriteEmpty", "TestZarrNoConsolidatedMetadataSupport"),
        *("TestDataArrayToZarr", "TestZarrRegionAuto", "TestNCZarr"),
    ),
    "test_backends_datatree.py": ("TestZarrDatatreeIO",),
}

WAYS = ("group", "dataset")

_CHUNKS = "it asserts the sizes of chunks, which are others now"
_WARNING = "it is about a warning that depends on the sizes of chunks"
_CALLS = "it counts calls, and the rechunk makes some of its own"

# Names of tests that fail with a rechunk in the middle, and why; in both ways.
EXPECTED = {
    "test_auto_chunk": _CHUNKS,
    "test_chunk_encoding": _CHUNKS,
    "test_shard_encoding": _CHUNKS,
    "test_chunk_encoding_with_dask": _CHUNKS,
    "test_chunk_auto_with_small_dask_chunks": _CHUNKS,
    "test_chunked_datetime64_or_timedelta64": _CHUNKS,
    "test_chunked_cftime_datetime": _CHUNKS,
    "test_chunk_key_encoding_v2": _CHUNKS,
    "test_warning_on_bad_chunks": _WARNING,
    "test_open_datatree_chunks": _WARNING,
    "test_open_groups_chunks": _WARNING,
    "test_avoid_excess_metadata_calls": _CALLS,
    "test_async_load_multiple_variables": _CALLS,
    "test_concurrent_load_multiple_objects": _CALLS,
}

Outcomes = Mapping[str, Mapping[str, Any]]


def source_distribution(folder: Path) -> Path:
    """Download and unpack the source distribution of the installed version of Xarray."""
    name = f"xarray=={version('xarray')}"
    options = ["--quiet", "--no-deps", "--no-binary=xarray", f"--dest={folder}"]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, name], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


def run(
    xarray: Path, folder: Path, way: str, tests: Iterable[str], options: Sequence[str]
) -> Outcomes:
    """Run tests in a way, and return how each of them ended."""
    outcomes = folder / f"{way}.json"
    command = [sys.executable, "-m", "pytest", "-p", "rechunked_reads", f"--way={way}"]
    # Xarray's own settings name a plugin for its tests of types.
    command += [f"--outcomes={outcomes}", "--override-ini=addopts=", "--quiet", "--tb=no", "-rN"]
    command += ["--numprocesses=auto", "--dist=worksteal"]
    here = str(Path(__file__).parent)
    before = time.monotonic()
    done = subprocess.run(
        [*command, *options, *tests], cwd=xarray, env={**os.environ, "PYTHONPATH": here}
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"pytest has ended with {done.returncode}")
    print(f"{way}: {time.monotonic() - before:.0f} s", flush=True)
    found: Outcomes = json.loads(outcomes.read_text())
    return found


def failed(outcomes: Outcomes) -> set[str]:
    """Return the tests that failed."""
    return {test for test, found in outcomes.items() if found["outcome"] == "failed"}


def function_of(test: str) -> str:
    """Return the name of a test without its class and parameters."""
    return re.sub(r"\[.*", "", test).rpartition("::")[2]


def compare(baseline: Outcomes, outcomes: Outcomes, way: str) -> list[str]:
    """Return what is not as it should be, and print what is."""
    new = failed(outcomes) - failed(baseline)
    problems = [
        f"{way}: {test} fails: {outcomes[test]['error'] or 'see above'}"
        for test in sorted(new)
        if function_of(test) not in EXPECTED
    ]
    unread = [test for test, found in outcomes.items() if not found["reads"]]
    problems += [f"{way}: {test} read nothing" for test in unread if test not in new]
    expected = new - {test for test in new if function_of(test) not in EXPECTED}
    passed = len(outcomes) - len(new)
    print(f"{way}: {passed} tests end as before, {len(expected)} fail as expected")
    return problems


def stale(results: Iterable[tuple[Outcomes, Outcomes]]) -> list[str]:
    """Return the expected failures that are none."""
    found = {
        function_of(test)
        for baseline, outcomes in results
        for test in failed(outcomes) - failed(baseline)
    }
    return [f"{name} is expected to fail, and does not" for name in sorted({*EXPECTED} - found)]


def main() -> None:
    """Run all tests as they are, and those that read something in each way."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--source", type=Path, help="folder of an unpacked source distribution")
    parser.add_argument("--only", help="run only tests that match this expression of pytest's -k")
    arguments = parser.parse_args()
    options = ["-k", arguments.only] if arguments.only else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        xarray = arguments.source or source_distribution(folder)
        tests = [
            f"xarray/tests/{file}::{test}" for file, names in CLASSES.items() for test in names
        ]
        baseline = run(xarray, folder, "nothing", tests, options)
        reading = [
            test
            for test, found in baseline.items()
            if found["reads"] and found["outcome"] == "passed"
        ]
        print(f"{len(reading)} of {len(baseline)} tests read from Zarr, and pass", flush=True)
        results = {way: run(xarray, folder, way, reading, ()) for way in WAYS}
        problems = [line for way in WAYS for line in compare(baseline, results[way], way)]
        if not arguments.only:
            problems += stale((baseline, outcomes) for outcomes in results.values())
    sys.exit("\n".join(problems) or None)


if __name__ == "__main__":
    main()
