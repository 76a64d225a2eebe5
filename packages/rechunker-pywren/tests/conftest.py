"""Fixtures for all tests of this package: function executors of the user, and an empty home."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rechunker_pywren.local_calls import close, import_pywren

# With the data cleaner, pywren would start one more process for each job, and not await it.
CONFIG = {"pywren": {"storage_bucket": "calls", "data_cleaner": False}}


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for the files of pywren and lithops, which they look up on import."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def pywren(places: Path) -> Iterator[Any]:
    """Import pywren in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(places))
        patch.setenv("HOME", str(places))
        # Pywren imports deprecated modules, and has string literals with invalid escapes.
        with warnings.catch_warnings(action="ignore"):
            module = import_pywren()
    with pytest.MonkeyPatch.context() as patch:
        # Making a function executor sets these variables.
        patch.setenv("PYWREN_EXECUTION_ID", "tests")
        patch.setenv("PYWREN_TOTAL_EXECUTORS", "0")
        yield module


@pytest.fixture(scope="session")
def make_functions(pywren: Any) -> Callable[[], Any]:
    """Return a function that makes a local executor of pywren with two processes."""

    def make() -> Any:
        # Python 3.12 and later warn about a fork in a process with threads.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            return pywren.local_executor(CONFIG, workers=2)

    return make


@pytest.fixture(scope="session")
def functions(make_functions: Callable[[], Any]) -> Iterator[Any]:
    """Return a local executor that all tests share."""
    function_executor = make_functions()
    yield function_executor
    close(function_executor)


@pytest.fixture
def own_functions(make_functions: Callable[[], Any]) -> Iterator[Any]:
    """Return a local executor for this test only."""
    function_executor = make_functions()
    yield function_executor
    close(function_executor)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the home folder and holds all temporary files."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder
