"""Trials: hostile documents are opened and rechunked, one after another, in one process.

Arguments: the kind of documents, the seeds of the first and of the last one, and a folder.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import resource
import shutil
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import xarray
import zarr
from hostile_documents import ARRAYS, KINDS, METADATA, change, make_store

import rechunker

MAX_MEM = 20_000_000
SECONDS = 10
# Requests of a plan that is executed: an array may have more chunks than anyone can wait for.
REQUESTS = 3000
MEGABYTE = 2**20


def peak() -> int:
    """Return the largest memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def files(folder: Path) -> dict[str, int]:
    """Return all files in a folder but those of a run, with the time of their last change."""
    found = {}
    for top, folders, names in os.walk(folder):
        if Path(top) == folder / "in":
            folders[:] = [name for name in folders if name not in ("target", "temp")]
        found |= {os.path.join(top, name): 0 for name in folders}
        for name in names:
            path = os.path.join(top, name)
            found[path] = os.lstat(path).st_mtime_ns
    return found


def opened(place: Path, kind: str, rng: random.Random) -> Any:
    """Open a source; None if Zarr or Xarray refuse it, whatever their errors are."""
    try:
        if kind.endswith("dataset"):
            return xarray.open_zarr(place, consolidated=rng.choice((None, False)))
        if kind in ARRAYS:
            return zarr.open(place / rng.choice(("", "array")), mode="r")
        return zarr.open(place, mode="r", use_consolidated=rng.choice((None, False)))
    except (Exception, RecursionError):
        return None


def chunks_of(source: Any, kind: str, rng: random.Random) -> Any:
    """Return target chunks for a source."""
    if isinstance(source, zarr.Array):
        half = tuple(max(1, n // 2) for n in source.shape)
        return rng.choice((None, (-1,) * source.ndim, half, {"x": 5}))
    if isinstance(source, zarr.Group):
        chunks = rng.choice((None, (6, 2), (-1, -1)))
        return {"array": chunks} if kind in ARRAYS else {"a": chunks, "deep/er/b": None}
    return rng.choice((None, {"x": 5}, {"time": -1, "x": 3}))


def options_of(source: Any, kind: str, rng: random.Random) -> Any:
    if isinstance(source, zarr.Array):
        other = {"zarr_format": 5 - source.metadata.zarr_format}
        return rng.choice((None, None, None, other, other, {"compressors": None}, {"order": "F"}))
    if isinstance(source, xarray.Dataset):
        return rng.choice((None, {"zarr_format": 2}, {"zarr_format": 3}))
    if kind in ARRAYS:
        return rng.choice((None, {"array": {"compressors": None}}, {"array": {"shards": None}}))
    return None


def attempt(place: Path, kind: str, rng: random.Random) -> str:
    """Open, plan and execute; return what has happened."""
    source = opened(place / "in" / "source", kind, rng)
    if source is None:
        return "not opened"
    try:
        plan = rechunker.rechunk(
            source,
            chunks_of(source, kind, rng),
            MAX_MEM,
            place / "in" / "target",
            target_options=options_of(source, kind, rng),
            temp_store=place / "in" / "temp",
            executor="python",
        )
    except (ValueError, TypeError, OSError) as error:
        return f"refused {type(error).__name__}: {str(error)[:150]}"
    stages = [stage for own in plan.copy_plan.values() for stage in own.stages]
    if sum(stage.gets + stage.puts + stage.tasks for stage in stages) > REQUESTS:
        return "planned"
    try:
        plan.execute()
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        return f"failed {type(error).__name__}: {str(error)[:150]}"
    return "done"


def trial(kind: str, rng: random.Random, real: Path, place: Path) -> str:
    shutil.copytree(real, place / "in" / "source")
    inside = place / "in" / "source" / ("array" if kind in ARRAYS else "")
    documents = sorted(path for path in inside.rglob("*") if path.name in METADATA)
    for path in rng.sample(documents, rng.choice((1, 1, min(2, len(documents))))):
        path.write_bytes(change(path.read_bytes(), rng))
    before = files(place)
    found = attempt(place, kind, rng)
    after = files(place)
    if after != before:
        return f"changed {set(after.items()) ^ set(before.items())}"
    return found


def main(group: str, first: int, last: int, folder: Path) -> Iterator[tuple[int, str, str]]:
    kinds = KINDS[group]
    for kind in kinds:
        make_store(kind, folder / "real" / kind)
    for seed in range(first, last):
        rng = random.Random(seed)
        kind = kinds[seed % len(kinds)]
        place = folder / f"{seed}"
        start = peak()
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            found = trial(kind, rng, folder / "real" / kind, place)
        except (Exception, RecursionError):
            found = f"ERROR {traceback.format_exc()}"
        faulthandler.cancel_dump_traceback_later()
        grown = (peak() - start) // MEGABYTE
        if grown > 100:
            found += f" GREW {grown}"
        yield seed, kind, found
        shutil.rmtree(place)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
    group, first, last, folder = sys.argv[1:]
    for line in main(group, int(first), int(last), Path(folder)):
        print(json.dumps(line), flush=True)
