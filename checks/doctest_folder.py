"""A plugin of pytest: every example runs in an empty folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let examples write into the folder where they run."""
    monkeypatch.chdir(tmp_path)
