"""Settings for all tests of this package."""

from __future__ import annotations

from collections import Counter
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="run every case of the large matrices, and properties on eight times as many examples",
    )
    parser.addoption(
        "--share",
        type=int,
        default=1,
        metavar="N",
        help="run one in N cases of each test with parameters, and all tests without",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases, the same in each run, at least one of each test remaining."""
    share, seen = config.getoption("share"), Counter[str]()
    chosen: list[pytest.Item] = []
    for item in items:
        test = item.nodeid.partition("[")[0]
        if share == 1 or test == item.nodeid or seen[test] % share == 0:
            chosen.append(item)
        # The first case is in; which ones follow differs from test to test.
        seen[test] += 1 + (seen[test] == 0) * (crc32(test.encode()) % share)
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def pytest_configure(config: pytest.Config) -> None:
    # Examples write real files on machines of any speed, so none has a deadline.
    settings.register_profile(
        "rechunker",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=True,
        max_examples=480 if config.getoption("thorough") else 60,
    )
    settings.load_profile("rechunker")


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether tests run every case of a large matrix, not only some that differ in everything."""
    return bool(request.config.getoption("thorough"))
