"""Test suites for executors, and tools to test them; needs ``rechunker-core[testing]``."""

import pytest

# Must come before the imports below, so that failing assertions show the values they compare.
pytest.register_assert_rewrite(
    "rechunker.testing.engine",
    "rechunker.testing.contract",
    "rechunker.testing.ending",
    "rechunker.testing.arrays",
    "rechunker.testing.killed",
    "rechunker.testing.progress",
    "rechunker.testing.resuming",
    "rechunker.testing.workers",
)

from rechunker.testing.ending import EndingTests  # noqa: E402
from rechunker.testing.engine import Patient, Watched  # noqa: E402
from rechunker.testing.executors import ExecutorTests  # noqa: E402
from rechunker.testing.killed import KilledWorkerTests  # noqa: E402
from rechunker.testing.progress import ProgressTests  # noqa: E402
from rechunker.testing.recorder import Recorder  # noqa: E402
from rechunker.testing.stores import LoggedStore  # noqa: E402
from rechunker.testing.work import (  # noqa: E402
    Crowding,
    Failing,
    Flaky,
    Killing,
    Lasting,
    Marking,
    Nothing,
    Repeating,
    Telling,
)

__all__ = [
    "Crowding",
    "EndingTests",
    "ExecutorTests",
    "Failing",
    "Flaky",
    "KilledWorkerTests",
    "Killing",
    "Lasting",
    "LoggedStore",
    "Marking",
    "Nothing",
    "Patient",
    "ProgressTests",
    "Recorder",
    "Repeating",
    "Telling",
    "Watched",
]
