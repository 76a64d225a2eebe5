"""Settings for all tests of this package."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="run every case of the large matrices, and properties on eight times as many examples",
    )


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
