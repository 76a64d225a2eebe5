"""A pytest plugin that runs each doctest in an empty folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to an empty folder, so that examples can write files."""
    monkeypatch.chdir(tmp_path)
