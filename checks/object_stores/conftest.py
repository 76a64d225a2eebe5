"""Settings for all checks of object stores: which servers there are, and what runs the plans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from engines import client, engine
from pairs import cases_of
from servers import started

__all__ = ["client", "endpoint", "endpoints", "engine"]

FURTHER = ("s3rver", "seaweedfs")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that say where s3rver and SeaweedFS are."""
    for name, metavar, what in (
        ("s3rver", "node_modules", "folder in which npm has installed s3rver"),
        ("seaweedfs", "weed", "program of SeaweedFS"),
    ):
        parser.addoption(f"--{name}", type=Path, metavar=metavar, help=f"{what}, a further server")


def pytest_configure(config: pytest.Config) -> None:
    """Ignore warnings of Beam, and of Zarr where a server keeps empty folders for a while."""
    # Threads of Beam that fail when the pipeline has failed that they serve, or its process.
    threads = "Exception in thread (run_worker|beam_control_read|read_grpc_client_inputs)"
    kind = "pytest.PytestUnhandledThreadExceptionWarning"
    config.addinivalue_line("filterwarnings", f"ignore:{threads}:{kind}")
    if config.getoption("seaweedfs") is not None:
        folders = "Object at .* is not recognized as a component of a Zarr hierarchy"
        config.addinivalue_line("filterwarnings", f"ignore:{folders}:zarr.errors.ZarrUserWarning")


def pytest_report_header(config: pytest.Config) -> str:
    """Say which servers are there."""
    left = [f"{name} is left out: --{name} is not given" for name in _left_out(config)]
    return f"S3 servers: {'; '.join([', '.join(_servers(config)), *left])}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests their cases, or a server each."""
    servers = _servers(metafunc.config)
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", cases_of(servers), ids=str)
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", servers)


def _servers(config: pytest.Config) -> tuple[str, ...]:
    left = _left_out(config)
    return tuple(name for name in ("moto", *FURTHER) if name not in left)


def _left_out(config: pytest.Config) -> list[str]:
    return [name for name in FURTHER if config.getoption(name) is None]


@pytest.fixture(scope="session")
def endpoints(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """Start all servers: their addresses by their names."""
    programs = {name: pytestconfig.getoption(name) for name in FURTHER}
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                started(name, programs.get(name), tmp_path_factory.mktemp(name))
            )
            for name in _servers(pytestconfig)
        }


@pytest.fixture
def endpoint(endpoints: Mapping[str, str], server: str) -> str:
    """Return the address of the server of a test."""
    return endpoints[server]


@pytest.fixture
def any_endpoint(endpoints: Mapping[str, str]) -> str:
    """Return the address of the fastest server, for what does not depend on it."""
    return [*endpoints.values()][-1]
