"""Fixtures for all tests of this package: Prefect servers, and a Prefect home of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

START_SECONDS = 180
MEMORY = Path("/dev/shm")  # a database on a disk is slow

home = TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None, prefix="prefect-")
environment = pytest.MonkeyPatch()


def pytest_configure() -> None:
    # Prefect reads these variables on import, and some of its threads never read them again.
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        environment.delenv(name)
    environment.setenv("PREFECT_HOME", home.name)
    environment.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    environment.setenv("PREFECT_LOGGING_LEVEL", "WARNING")
    environment.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    environment.setenv("DO_NOT_TRACK", "1")


def pytest_unconfigure() -> None:
    environment.undo()
    home.cleanup()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def serving(address: str, *options: str) -> Iterator[str]:
    """Run a server at the address of an API."""
    port = httpx.URL(address).port
    database = f"sqlite+aiosqlite:///{home.name}/{port}.db"
    command = ["-m", "prefect", "server", "start", "--host=127.0.0.1", f"--port={port}", "--no-ui"]
    process = subprocess.Popen(
        [sys.executable, *command, *options],
        env={**os.environ, "PREFECT_SERVER_DATABASE_CONNECTION_URL": database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_health(process, address)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def await_health(process: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, "the Prefect server has ended"
        assert time.monotonic() < until, f"no start in {START_SECONDS} seconds"
        try:
            if httpx.get(f"{address}/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)


@contextmanager
def in_use(address: str) -> Iterator[str]:
    """Run flows with a server, without heartbeats: their end takes a second for each flow."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    with temporary_settings({PREFECT_API_URL: address, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield address
        # These threads keep sending to the server that they started with.
        EventsWorker.drain_all(timeout=60)
        APILogWorker.drain_all(timeout=60)


@pytest.fixture(scope="session")
def plain_server() -> Iterator[str]:
    """Start a server without services, which does not record task runs and is fast."""
    with serving(os.environ["PREFECT_API_URL"], "--no-services") as address:
        yield address


@pytest.fixture(scope="session")
def full_server() -> Iterator[str]:
    """Start a server with all services, as users do."""
    with serving(f"http://127.0.0.1:{free_port()}/api") as address:
        yield address


@pytest.fixture(scope="module")
def plain(plain_server: str) -> Iterator[str]:
    """Run flows with the fast server until the end of the module."""
    with in_use(plain_server) as address:
        yield address


@pytest.fixture(scope="module")
def full(full_server: str) -> Iterator[str]:
    """Run flows with the server with all services until the end of the module."""
    with in_use(full_server) as address:
        yield address
