"""Test suites for executors, and tools to test them; needs ``rechunker-core[testing]``."""

import pytest

# Must come before the imports below, so that failing assertions show the values they compare.
pytest.register_assert_rewrite(
    "rechunker.testing.engine",
    "rechunker.testing.contract",
    "rechunker.testing.arrays",
    "rechunker.testing.killed",
)

from rechunker.testing.engine import Patient, Watched  # noqa: E402
from rechunker.testing.executors import ExecutorTests  # noqa: E402
from rechunker.testing.killed import KilledWorkerTests  # noqa: E402
from rechunker.testing.recorder import Recorder  # noqa: E402
from rechunker.testing.stores import LoggedStore  # noqa: E402
from rechunker.testing.work import (  # noqa: E402
    Failing,
    Flaky,
    Killing,
    Marking,
    Nothing,
    Repeating,
    Telling,
)

__all__ = [
    "ExecutorTests",
    "Failing",
    "Flaky",
    "KilledWorkerTests",
    "Killing",
    "LoggedStore",
    "Marking",
    "Nothing",
    "Patient",
    "Recorder",
    "Repeating",
    "Telling",
    "Watched",
]
