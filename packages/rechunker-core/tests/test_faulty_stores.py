"""Stores that fail now and then: no run ends wrong and silent, none hangs, and all can go on."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import zarr
from faulty_store import Faults, FaultyStore
from targets import is_equal, opened
from zarr.abc.store import Store
from zarr.storage import MemoryStore

import rechunker
from rechunker.executors.python import PythonExecutor
from rechunker.stores import CLAIM, access, requests

# Runs, each with faults of its own.
RUNS = 500
SHAPE = (24, 18)
KINDS = ("array", "array without temp", "sparse array", "group", "array copied")

pytestmark = [
    pytest.mark.slow,
    # What is left of a run that failed lies in the group that it was to make.
    pytest.mark.filterwarnings("ignore:Object at .* is not recognized"),
]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "FIRST_PAUSE", 1e-4)


def make(store: Store, kind: str) -> Any:
    """Create a source in a store, and return its values by name."""
    numbers = np.random.default_rng(0).integers(1, 100, SHAPE).astype("f8")
    if kind == "sparse array":
        numbers[4:16] = 0
    if kind == "group":
        group = zarr.create_group(store)
        for name in ("a", "deep/b"):
            group.create_array(name, shape=SHAPE, chunks=(4, 18), dtype="f8")[...] = numbers
        return {"a": numbers, "deep/b": numbers}
    zarr.create_array(store, shape=SHAPE, chunks=(4, 18), dtype="f8")[...] = numbers
    return {"": numbers}


def plan(kind: str, source: Store, target: Store, temp: Store) -> rechunker.Rechunked[Any]:
    node: Any = zarr.open(source, mode="r")
    chunks: Any = {"array without temp": (12, 9), "array copied": None}.get(kind, (24, 3))
    if kind == "group":
        chunks = {"a": (24, 3), "deep/b": (24, 2)}
    direct = kind in ("array without temp", "array copied")
    return rechunker.rechunk(
        node,
        chunks,
        "16kB" if direct else "3200B",
        target,
        None,
        None if direct else temp,
        executor=PythonExecutor(2),
    )


class Case:
    """A source, and stores that fail, for the seed of a run."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.kind, self.verify = KINDS[seed % len(KINDS)], rng.random() < 0.3
        self.inner = [MemoryStore() for _ in range(3)]
        self.wanted = make(self.inner[0], self.kind)
        self.before = {key: value.to_bytes() for key, value in self.inner[0]._store_dict.items()}
        highest = rng.choice([0.002, 0.02, 0.1])
        self.stores = [
            FaultyStore(store, Faults.some(rng, highest), seed + i)
            for i, store in enumerate(self.inner)
        ]
        self.retries = rng.choice([0, 0, 2])

    def run(self, *, resume: bool = False) -> Exception | None:
        """Execute the plan; return the error that it has ended with."""
        try:
            plan(self.kind, *self.stores).execute(
                resume=resume, verify=self.verify, retries=self.retries
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
            return error
        return None

    def mend(self) -> None:
        """Let the stores work, the source hold what it held, and no claim be damaged."""
        claim = access.get(self.inner[1], CLAIM)
        if claim is not None and not claim.to_bytes().endswith(b"}"):
            access.delete(self.inner[1], CLAIM)  # as the error says
        for store in self.stores:
            store.faults = Faults()
        for key, value in self.before.items():
            access.put(self.inner[0], key, zarr.buffer.cpu.Buffer.from_bytes(value))


@pytest.mark.parametrize("part", range(10))
def test_no_run_is_wrong_and_silent_and_all_can_go_on(part: int) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(part * RUNS // 10, (part + 1) * RUNS // 10):
        case = Case(seed)
        error = case.run()
        found = opened(case.inner[1])
        assert found is not None or error is not None, seed
        assert found is None or is_equal(found, case.wanted), seed
        case.mend()
        if error is not None:
            again = case.run(resume=True)
            if isinstance(again, rechunker.ResumeError):
                again = case.run()  # the first plan was made without an object that had vanished
            # A run may fail after it has published its target.
            assert again is None or (found is not None and "already" in str(again)), (seed, again)
            found = opened(case.inner[1])
            assert found is not None, seed
            assert is_equal(found, case.wanted), seed
        outcomes["failed" if error else "worked"] += 1
    assert min(outcomes["failed"], outcomes["worked"]) > 5, outcomes
