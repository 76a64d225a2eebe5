"""`ResumingTests`: a run that has failed goes on, and a target is verified, on any executor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import rechunker
from rechunker.testing.arrays import make
from rechunker.testing.engine import EngineTests
from rechunker.types import Executor, Traffic

__all__ = ["ResumingTests"]


def check_report(rechunked: rechunker.Rechunked[Any]) -> None:
    """Check that traffic, if it is counted at all, is counted for each stage."""
    report = rechunked.report
    assert report is not None
    assert str(report)
    if report.traffic is None:
        return
    executed = [stage.executed for stage in report.stages if stage.executed is not None]
    assert Traffic.total(executed) == report.traffic
    for stage in report.stages:
        assert stage.executed is not None
        if stage.predicted is not None:
            assert stage.executed.tasks + stage.executed.known == stage.predicted.tasks
    verified = {stage.name for stage in report.stages if stage.predicted is None}
    digests = rechunker.digest(rechunked.target).arrays
    assert report.digests == (digests if verified else {})


class ResumingTests(EngineTests):
    """Part of `rechunker.testing.ExecutorTests`."""

    @pytest.mark.parametrize("max_mem", [3000, 5000], ids=["in three stages", "in two stages"])
    def test_a_failed_run_goes_on(
        self, engine: Executor[Any], tmp_path: Path, max_mem: int
    ) -> None:
        """A chunk in the middle of the source is damaged; it is restored, and the run resumed.

        The executor gets a plan made anew, as in another process. Tasks that were done before are
        counted as known, and not run again.
        """
        source = make(tmp_path / "s", (60, 50), (1, 50))
        chunk = tmp_path / "s" / "c" / "30" / "0"
        content = chunk.read_bytes()
        chunk.write_bytes(b"damaged")

        def plan() -> rechunker.Rechunked[Any]:
            return rechunker.rechunk(
                zarr.open_array(tmp_path / "s", mode="r"),
                (60, 2),
                max_mem,
                tmp_path / "t",
                temp_store=tmp_path / "temp",
                executor=engine,
            )

        journal = tmp_path / "t" / ".rechunker-journal"
        for _ in range(10):  # an engine may begin with the task that fails
            with pytest.raises(Exception, match=r"chunk \(30, 0\)"):
                plan().execute(resume=True, **self.options)
            if any(path.is_file() and path.name != "plan" for path in journal.rglob("*")):
                break
        with pytest.raises(FileNotFoundError):
            zarr.open(tmp_path / "t", mode="r")
        chunk.write_bytes(content)
        again = plan()
        target = again.execute(resume=True, **self.options)
        np.testing.assert_array_equal(target[...], source[...])
        assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["c", "zarr.json"]
        if isinstance(again.traffic, Traffic):
            total = sum(stage.tasks for stage in again.copy_plan[""].stages)
            assert again.traffic.tasks + again.traffic.known == total
            assert again.traffic.known, "no task was known from the run before"
        check_report(again)

    def test_a_target_is_verified(self, engine: Executor[Any], tmp_path: Path) -> None:
        """Its values are compared before it is published, and once more afterwards."""
        source = make(tmp_path / "s", (60, 50), (1, 50))
        plan = rechunker.rechunk(
            source, (60, 2), 8000, tmp_path / "t", temp_store=tmp_path / "temp", executor=engine
        )
        target = plan.execute(verify=True, **self.options)
        check_report(plan)
        sums = tmp_path / "sums"
        found = rechunker.verify(source, target, executor=engine, temp_store=sums, **self.options)
        assert found, str(found)
        assert not any(sums.iterdir())
        target[7, 7] += 1
        found = rechunker.verify(source, target, executor=engine, temp_store=sums, **self.options)
        assert [place.elements for place in found.differences] == [((7, 7),)]
