"""Programs that print tables: of growing arrays, and of plans of very large ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import growth
import latency
import plans
import small
from workloads import WORKLOADS

pytestmark = pytest.mark.slow
DOCUMENT = Path(__file__).parents[3] / "docs" / "performance.md"


def test_an_array_grows_along_its_first_axis_with_series_as_long() -> None:
    grown = [growth.grown(WORKLOADS["W2"], size) for size in growth.SIZES]
    assert [work.shape[0] for work in grown] == [312, 1250, 5000]
    assert all(work.target == (work.shape[0], 25, 25) for work in grown)
    assert all(0.99 * n < work.nbytes <= n for work, n in zip(grown, growth.SIZES, strict=True))


def test_growth_is_shown_per_byte(tmp_path: Path) -> None:
    small = replace(WORKLOADS["W2"].shrunk(20), max_mem=2_000_000)
    *_, line = growth.measure([small], 1, tmp_path, tmp_path)
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[:4] == ["200 kB", "2 MB", "0", "1.00"]


@pytest.mark.parametrize("case", [("10 TB", "4GB", 100), ("1 PB", "16GB", 10_000)])
def test_the_document_shows_the_plans_of_today(case: tuple[str, str, int]) -> None:
    assert plans.line(*case) in DOCUMENT.read_text("utf-8").splitlines()


@pytest.mark.parametrize("arrays", [None, 3])
def test_latency_is_that_of_a_store_that_answers_slowly(arrays: int | None) -> None:
    case = latency.Case("small", arrays, (40, 20), (4, 20), (40, 2), 10**8)
    plan, execution = latency.measure(case)
    planned, run, ran = plan.network, execution.network, execution.seconds
    chunks = 20 * (arrays or 1)
    assert planned.requests < run.requests
    assert chunks < run.requests < chunks + 40 + 10 * (arrays or 1)
    assert run.nbytes > 0
    assert 2 <= run.most <= 32
    # No run takes less time than its requests and bytes, with all of them in flight.
    assert ran > run.least() * latency.IN_FLIGHT / run.most
    assert plan.seconds > 0.03


def test_what_is_small_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert small.main(["python", "--rounds", "1", "--small", "100"]) == 0
    *_, arrays, chunks = capsys.readouterr().out.splitlines()
    assert arrays.startswith("| 10 arrays of 40 kB | python |")
    assert chunks.startswith("| 400 chunks of 400 bytes | python |")
