"""The program that measures executors runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import executors

pytestmark = pytest.mark.slow


def test_what_an_executor_costs_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    executors.main(["python"])
    printed = capsys.readouterr().out
    assert "10,000 tasks" in printed
    assert "1,000,000 tasks: planned in" in printed


def test_targets_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SHAPE", (20, 10, 10)), ("FROM", (5, 10, 10)), ("TO", (20, 5, 5))):
        monkeypatch.setattr(executors, name, value)
    executors.write_source(tmp_path)
    assert executors.gigabyte("python", tmp_path).wall > 0
