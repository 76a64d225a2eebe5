"""Settings for all checks of Icechunk: executors, and repositories on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import icechunk
import pytest
from engines import client, engine

__all__ = ["client", "engine", "repo"]


def pytest_report_header(config: pytest.Config) -> str:
    """Say which version there is."""
    return f"icechunk {icechunk.__version__}"


@pytest.fixture
def repo(tmp_path: Path) -> Any:
    """Return a new repository on disk."""
    return icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "repo")))
