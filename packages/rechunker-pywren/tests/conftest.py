"""Function executors that people may have, for all tests of this package."""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rechunker_pywren.legacy import legacy_modules
from rechunker_pywren.local import close

# No job of pywren is cleaned by a further process that it would start, and not wait for.
CONFIG = {"pywren": {"storage_bucket": "calls", "data_cleaner": False}}


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pywren and lithops put their files, which they ask for when they are imported."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def pywren(places: Path) -> Iterator[Any]:
    """Import pywren in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(places))
        patch.setenv("HOME", str(places))
        # Pywren imports what is deprecated, and has strings with escapes that are none.
        with warnings.catch_warnings(action="ignore"), legacy_modules():
            importlib.import_module("pywren_ibm_cloud.compute.backends.localhost")
            module = importlib.import_module("pywren_ibm_cloud")
    with pytest.MonkeyPatch.context() as patch:
        # These are set when a function executor is made.
        patch.setenv("PYWREN_EXECUTION_ID", "tests")
        patch.setenv("PYWREN_TOTAL_EXECUTORS", "0")
        yield module


@pytest.fixture(scope="session")
def make_functions(pywren: Any) -> Callable[[], Any]:
    """Return a function that makes a local executor of pywren with two processes."""

    def make() -> Any:
        # From Python 3.12 on, a fork beside threads is warned of.
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
    """Return a local executor that no other test needs."""
    function_executor = make_functions()
    yield function_executor
    close(function_executor)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the user's home and the place of all temporary files."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder
