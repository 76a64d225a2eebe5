"""`DaskExecutor` passes the suite with threads and with a cluster."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import dask
import dask.local
import dask.multiprocessing
import dask.threaded
import pytest
from distributed import Client

from rechunker.testing import EndingTests, ExecutorTests, Patient, Watched
from rechunker_dask import DaskExecutor
from rechunker_dask.engine import KEYWORDS


class DaskTests(ExecutorTests):
    executor = "dask"

    @pytest.fixture
    def patient(self, engine: DaskExecutor) -> Patient:
        return Patient(engine, {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        seen: list[Mapping[Any, Any]] = []

        def scheduler(graph: Any, keys: Any, **kwargs: Any) -> Any:
            seen.append(kwargs)
            return dask.get(graph, keys)

        return Watched(
            {"scheduler": scheduler, "word": 5}, lambda: [k.get("word") for k in seen] == [5]
        )


class TestThreads(DaskTests):
    """The scheduler that is also the default without a client."""

    @pytest.fixture
    def engine(self) -> DaskExecutor:
        return DaskExecutor(scheduler="threads")


class TestCluster(DaskTests):
    @pytest.fixture(autouse=True)
    def on_the_cluster(self, client: Client) -> None:
        """Make the client the default scheduler of Dask."""


class TestProcesses(EndingTests):
    @pytest.fixture
    def engine(self) -> DaskExecutor:
        return DaskExecutor(scheduler="processes", workers=2)


@pytest.mark.parametrize("name", ["verifiy", "reties", "overwrite", "temp_store"])
@pytest.mark.parametrize("scheduler", [None, "threads", "synchronous"])
def test_unknown_keywords_are_refused(name: str, scheduler: Any) -> None:
    executor = DaskExecutor(scheduler)
    plan = executor.prepare_plan([])
    with pytest.raises(TypeError, match=f"the dask executor takes no {name}"):
        executor.execute_plan(plan, **{name: True})


def test_the_schedulers_of_dask_know_the_keywords() -> None:
    functions: list[Any] = [dask.compute, dask.threaded.get, dask.local.get_async]
    functions += [dask.multiprocessing.get, Client.get]
    known = {name for function in functions for name in inspect.signature(function).parameters}
    assert set(KEYWORDS) <= known


FIRST = """
import sys, threading, time
from importlib.machinery import PathFinder

class Slow:
    \"\"\"Lets the first import of distributed take long, while it is known already.\"\"\"
    def find_spec(self, name, path=None, target=None):
        if name == "distributed.client":
            time.sleep(1)

sys.meta_path.insert(0, Slow())
from rechunker_dask.engine import count_workers, is_client
other = threading.Thread(target=lambda: __import__("distributed"))
other.start()
while "distributed" not in sys.modules:
    time.sleep(0.001)
print(count_workers() > 0, is_client("threads"), is_client(print))
other.join()
"""


def test_a_thread_may_import_distributed_meanwhile() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True False False\n", "")
