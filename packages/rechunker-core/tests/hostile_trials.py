"""Trials: hostile documents are opened and rechunked, one after another, in one process.

Arguments: a key of `hostile_documents.KINDS`, the seeds of the first document and of the one after
the last, and a folder. For each document a line of JSON says what came of it.
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
from pathlib import Path
from typing import Any

import xarray
import zarr
from hostile_documents import ARRAYS, KINDS, METADATA, change, make_store

import rechunker
from rechunker.traffic import peak_memory

MAX_MEM = 20_000_000
# A process that has not finished a document by then prints where it is, and ends.
SECONDS = 20
# Address space: to ask for more is an error, and not the end of the machine.
ADDRESSES = 8 * 2**30
# A document may state more chunks than anyone can wait for: such plans are made, not executed.
REQUESTS = 3000


def files(folder: Path) -> dict[str, int]:
    """Return all files and folders but those of a run, with the times when files changed."""
    found: dict[str, int] = {}
    for top, folders, names in os.walk(folder):
        if Path(top) == folder / "inside":
            folders[:] = [name for name in folders if name not in ("target", "temp")]
        found |= {os.path.join(top, name): 0 for name in folders}
        paths = [os.path.join(top, name) for name in names]
        found |= {path: os.lstat(path).st_mtime_ns for path in paths}
    return found


def opened(place: Path, kind: str, rng: random.Random) -> Any:
    """Open a source; None if Zarr or Xarray do not, for whatever reason: that is theirs.

    What lies in a group is not opened by Zarr, but by the code under test.
    """
    try:
        if kind.endswith("dataset"):
            return xarray.open_zarr(place, consolidated=rng.choice((None, False)))
        if kind in ARRAYS:
            return zarr.open(place / rng.choice(("", "array")), mode="r")
        return zarr.open(place, mode="r", use_consolidated=rng.choice((None, False)))
    except Exception:  # noqa: BLE001, see above
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
    """Return target options for a source; those of another format translate its codecs."""
    if isinstance(source, zarr.Array):
        other = {"zarr_format": 5 - source.metadata.zarr_format}
        return rng.choice((None, None, None, other, other, {"compressors": None}, {"order": "F"}))
    if isinstance(source, xarray.Dataset):
        return rng.choice((None, {"zarr_format": 2}, {"zarr_format": 3}))
    if kind in ARRAYS:
        return rng.choice((None, {"array": {"compressors": None}}, {"array": {"shards": None}}))
    return None


def attempt(place: Path, kind: str, rng: random.Random) -> str:
    """Open, plan and execute; return what came of it."""
    source = opened(place / "source", kind, rng)
    if source is None:
        return "not opened"
    try:
        plan = rechunker.rechunk(
            source,
            chunks_of(source, kind, rng),
            MAX_MEM,
            place / "target",
            target_options=options_of(source, kind, rng),
            temp_store=place / "temp",
            executor="python",
        )
    except (ValueError, TypeError, OSError) as error:
        return f"refused: {type(error).__name__}: {str(error)[:150]}"
    stages = [stage for own in plan.copy_plan.values() for stage in own.stages]
    if sum(stage.gets + stage.puts + stage.tasks for stage in stages) > REQUESTS:
        return "planned"
    try:
        plan.execute()
    except (RecursionError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001, chunks that are wrong have many errors
        return f"failed: {type(error).__name__}: {str(error)[:150]}"
    return "done"


def trial(kind: str, rng: random.Random, real: Path, place: Path) -> str:
    """Change some documents of a real store, and try to rechunk it."""
    source = place / "inside" / "source"
    shutil.copytree(real, source)
    changed = source / ("array" if kind in ARRAYS else "")
    documents = sorted(path for path in changed.rglob("*") if path.name in METADATA)
    for path in rng.sample(documents, rng.choice((1, 1, min(2, len(documents))))):
        path.write_bytes(change(path.read_bytes(), rng))
    before = files(place)
    try:
        found = attempt(place / "inside", kind, rng)
    except Exception:  # noqa: BLE001, any other error is what the trials look for
        return f"error: {traceback.format_exc()}"
    touched = set(files(place).items()) ^ set(before.items())
    return f"error: changed {touched}" if touched else found


def trials(group: str, seeds: range, folder: Path) -> Iterator[tuple[int, str, str, int]]:
    """Yield seed, kind and outcome of each document, and the peak of the memory so far."""
    kinds = KINDS[group]
    for kind in kinds:
        make_store(kind, folder / "real" / kind)
    for seed in seeds:
        kind, place = kinds[seed % len(kinds)], folder / str(seed)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        found = trial(kind, random.Random(seed), folder / "real" / kind, place)
        faulthandler.cancel_dump_traceback_later()
        yield seed, kind, found, peak_memory()
        shutil.rmtree(place)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    group, first, stop, top = sys.argv[1:]
    for outcome in trials(group, range(int(first), int(stop)), Path(top)):
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()
