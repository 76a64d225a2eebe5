"""Credentials are shown nowhere, and stored nowhere, whether a run is planned, goes on or fails."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zarr
from crashing import make_source
from distributed import Client
from s3 import BUCKET, KEY, SECRET, WAYS, bucket, objects, storage_options

import rechunker
from rechunker.stores import CLAIM, JOURNAL


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def plan(folder: Path, options: Any, place: str, executor: Any) -> rechunker.Rechunked[Any]:
    return rechunker.rechunk(
        zarr.open_array(folder / "s", mode="r"),
        (40, 3),
        "6kB",
        f"s3://{BUCKET}/{place}/t",
        temp_store=f"s3://{BUCKET}/{place}/x",
        executor=executor,
        storage_options=options,
    )


def texts_of(planned: rechunker.Rechunked[Any]) -> list[str]:
    """Return all that a plan shows of itself."""
    html: Any = planned._repr_html_()
    engine: Any = planned.plan
    texts = [repr(planned), str(planned), html, repr(engine), str(engine), repr(planned.executor)]
    texts += [repr(planned.target), repr(planned.intermediate), repr(planned.copy_plan)]
    texts += [str(plan) for plan in planned.copy_plan.values()]
    return [*texts, getattr(engine, "_repr_html_", str)()]


def assert_hidden(*texts: str) -> None:
    found = "\n".join(texts)
    assert found
    assert SECRET not in found
    assert KEY not in found


@pytest.mark.parametrize("name", ["python", "cluster", "beam"])
def test_plans_and_errors_show_no_credentials(
    name: str,
    way: str,
    any_endpoint: str,
    engine: Callable[[str], Any],
    client: Client,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG, "rechunker")
    make_source("array", tmp_path / "s")
    options, place = storage_options(way, any_endpoint), f"shown-{name}-{way}"
    planned = plan(tmp_path, options, place, engine(name))
    assert_hidden(*texts_of(planned))
    (tmp_path / "s" / "c" / "7" / "0").write_bytes(b"broken")
    with pytest.raises(RuntimeError, match=r"chunk \(7, 0\)") as raised:
        planned.execute(retries=1)
    logs = str(client.get_worker_logs()) if name == "cluster" else caplog.text
    assert name == "cluster" or "retrying" in logs
    assert_hidden(*traceback.format_exception(raised.value), *texts_of(planned), logs)


@pytest.mark.parametrize("wrong", ["bucket", "server"])
def test_errors_of_the_server_show_no_credentials(
    wrong: str, way: str, server: str, endpoint: str, tmp_path: Path
) -> None:
    make_source("array", tmp_path / "s")
    options, name = storage_options(way, endpoint), BUCKET
    if way == "obstore":
        options["retry_config"] = {"max_retries": 0}
    if wrong == "server":
        options["endpoint_url" if way == "s3fs" else "endpoint"] = (
            f"http://{KEY}:{SECRET}@0.0.0.0:1"
        )
    else:
        name = "nowhere"
    source = zarr.open_array(tmp_path / "s", mode="r")
    url = f"s3://{name}/wrong/t"
    with pytest.raises(Exception, match=".") as raised:
        rechunker.rechunk(
            source, (40, 3), "1MB", url, executor="python", storage_options=options
        ).execute()
    assert_hidden(*traceback.format_exception(raised.value))


def test_what_is_stored_in_the_middle_of_a_run_has_no_credentials(
    way: str, any_endpoint: str, tmp_path: Path
) -> None:
    make_source("array", tmp_path / "s")
    place = f"stored-{way}"
    found: dict[str, bytes] = {}

    def stop(done: int, total: int, nbytes: int) -> None:
        if done == 12:
            found.update(objects(any_endpoint, f"{place}/"))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        plan(tmp_path, storage_options(way, any_endpoint), place, "python").execute(progress=stop)
    found |= {f"after/{key}": it for key, it in objects(any_endpoint, f"{place}/").items()}
    names = {key for key in found if CLAIM in key or JOURNAL in key}
    assert {f"t/{CLAIM}", f"t/{JOURNAL}/plan", f"after/t/{JOURNAL}/plan"} <= names
    assert any(f"after/t/{JOURNAL}/done" in name for name in names)
    assert_hidden(*(it.decode("latin1") for it in found.values()), *found)
    bucket(any_endpoint).objects.filter(Prefix=place).delete()
