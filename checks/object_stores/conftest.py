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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says where s3rver is."""
    parser.addoption(
        "--s3rver",
        type=Path,
        metavar="node_modules",
        help="folder in which npm has installed s3rver; without it, moto's is the only server",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Ignore warnings of Beam."""
    # Threads of Beam that fail when the pipeline has failed that they serve, or its process.
    threads = "Exception in thread (run_worker|beam_control_read|read_grpc_client_inputs)"
    kind = "pytest.PytestUnhandledThreadExceptionWarning"
    config.addinivalue_line("filterwarnings", f"ignore:{threads}:{kind}")


def pytest_report_header(config: pytest.Config) -> str:
    """Say which servers are there."""
    left = "" if len(_servers(config)) == 2 else "; s3rver is left out: --s3rver is not given"
    return f"S3 servers: {', '.join(_servers(config))}{left}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests their cases, or a server each."""
    servers = _servers(metafunc.config)
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", cases_of(servers), ids=str)
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", servers)


def _servers(config: pytest.Config) -> tuple[str, ...]:
    return ("moto",) if config.getoption("s3rver") is None else ("moto", "s3rver")


@pytest.fixture(scope="session")
def endpoints(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """Start all servers: their addresses by their names."""
    modules = pytestconfig.getoption("s3rver")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(started(name, modules, tmp_path_factory.mktemp(name)))
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
