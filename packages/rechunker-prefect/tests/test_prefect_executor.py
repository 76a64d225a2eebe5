"""`PrefectExecutor` passes the suite with one task at a time and with several."""

from __future__ import annotations

from typing import Any

import pytest

from rechunker.testing import EndingTests, ExecutorTests, Patient, Watched
from rechunker_prefect import PrefectExecutor

pytestmark = pytest.mark.usefixtures("plain")


class TestOneTaskAtATime(EndingTests):
    """The default; the tests of plans use it as well."""

    executor = "prefect"


class TestThreads(ExecutorTests):
    """Several tasks at a time."""

    @pytest.fixture
    def engine(self) -> PrefectExecutor:
        return PrefectExecutor(workers=3)

    @pytest.fixture
    def patient(self, engine: PrefectExecutor) -> Patient:
        return Patient(engine, {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        names: list[str] = []

        def hook(flow: Any, flow_run: Any, state: Any) -> None:
            names.append(flow_run.name)

        return Watched(
            {"flow_run_name": "by hand", "on_running": [hook]}, lambda: names == ["by hand"]
        )
