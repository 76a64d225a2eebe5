"""Runs that write to an object store go on as others do, by way of s3fs and of obstore."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from crashing import Server, make_source
from s3 import WAYS, keys, moto, s3_store, storage_options
from zarr.abc.store import Store

import rechunker
from rechunker.executors.python import PythonExecutor

KILLED = -9
# Runs that are killed, for each way to the store.
RUNS = 20

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Address of a server that speaks S3, with a bucket."""
    with moto() as address:
        yield address


def opened(store: Store) -> Any:
    """Return the values of a target; None if it does not open."""
    try:
        return zarr.open_array(store, mode="r")[...]
    except FileNotFoundError:
        return None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("temp", ["remote", "local"])
def test_a_run_that_has_stopped_goes_on(way: str, temp: str, endpoint: str, tmp_path: Path) -> None:
    make_source("array", tmp_path / "source")
    source = zarr.open_array(tmp_path / "source", mode="r")
    name = f"stopped-{way}-{temp}"

    def plan() -> rechunker.Rechunked[Any]:
        remote = s3_store(way, endpoint, f"{name}/x")
        return rechunker.rechunk(
            source,
            (40, 3),
            "6kB",
            s3_store(way, endpoint, f"{name}/t"),
            temp_store=remote if temp == "remote" else tmp_path / "x",
            executor=PythonExecutor(1),
        )

    def stop(done: int, total: int, nbytes: int) -> None:
        if done == 12:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        plan().execute(progress=stop, verify=True)
    assert opened(s3_store(way, endpoint, f"{name}/t")) is None
    again = plan()
    target = again.execute(resume=True, verify=True)
    np.testing.assert_array_equal(target[...], source[...])
    assert again.traffic is not None
    assert again.traffic.known == 12
    assert rechunker.verify(source, s3_store(way, endpoint, f"{name}/t"))
    assert not [key for key in keys(endpoint, name) if "rechunker" in key or "/x/" in key]


@pytest.mark.parametrize("way", WAYS)
def test_a_plan_from_a_file_holds_no_credentials(way: str, endpoint: str, tmp_path: Path) -> None:
    make_source("array", tmp_path / "source")
    source = zarr.open_array(tmp_path / "source", mode="r")
    places = [s3_store(way, endpoint, f"saved-{way}/{name}") for name in ("t", "x")]
    plan = rechunker.rechunk(source, (40, 3), "6kB", places[0], {}, places[1], executor="python")
    file = plan.save(tmp_path / "plan.json")
    options = storage_options(way, endpoint)
    secrets = {name: options[name] for name in options if "key" in name or "secret" in name}
    assert not [secret for secret in secrets.values() if secret in file.read_text()]
    saved = rechunker.load(file, storage_options=secrets)
    saved.start()
    for number in range(len(saved.rounds)):
        other = rechunker.load(file, storage_options=secrets)  # as another process would
        for index in range(3):
            other.run(number, saved.share(number, index, 3))
    np.testing.assert_array_equal(saved.publish()[...], source[...])
    assert not [key for key in keys(endpoint, f"saved-{way}") if "rechunker" in key or "/x/" in key]


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_killed_goes_on(way: str, endpoint: str, tmp_path: Path) -> None:
    rng, kind = random.Random(way), f"{way} {endpoint}"
    make_source("array", tmp_path / "source")
    wanted = zarr.open_array(tmp_path / "source", mode="r")[...]
    with Server() as ask:
        for number in range(RUNS):
            folder = tmp_path / f"{way}-{number}"
            folder.mkdir()
            shutil.copytree(tmp_path / "source", folder / "source")
            code = ask(kind, folder, rng.randint(1, 150))
            assert code in (0, KILLED)
            target = s3_store(way, endpoint, f"{folder.name}/t")
            found = opened(target)
            assert found is None or np.array_equal(found, wanted)
            if found is None:
                assert ask(kind, folder, None) == 0
                np.testing.assert_array_equal(opened(target), wanted)
                assert not [key for key in keys(endpoint, f"{folder.name}/") if "/c/" not in key][
                    1:
                ]
