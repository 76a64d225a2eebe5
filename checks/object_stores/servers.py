"""Servers that speak S3: moto's, s3rver and SeaweedFS, each in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from s3 import BUCKET, KEY, SECRET, bucket, moto, serving

__all__ = ["started"]

PROGRAM = Path(__file__).with_name("s3rver.js")


# Seconds that a server may take to start.
PATIENCE = 60


def started(name: str, program: Path | None, folder: Path) -> AbstractContextManager[str]:
    """Run a server within a context, whose value is the address of the server.

    Parameters
    ----------
    name
        ``"moto"``, ``"s3rver"`` or ``"seaweedfs"``.
    program
        Folder ``node_modules`` with s3rver, or the program ``weed`` of SeaweedFS.
    folder
        Folder for the data of the server.
    """
    if name == "moto":
        return moto()
    assert program is not None
    if name == "seaweedfs":
        return _seaweedfs(program, folder)
    return serving(["node", *map(str, [PROGRAM, program.resolve(), folder]), BUCKET, KEY, SECRET])


@contextmanager
def _seaweedfs(program: Path, folder: Path) -> Iterator[str]:
    """Run the servers of SeaweedFS in one process, with one bucket for the account of the tests."""
    login = {"accessKey": KEY, "secretKey": SECRET}
    actions = [f"{action}:{BUCKET}" for action in ("Read", "Write", "List", "Admin")]
    account = {"name": "tests", "credentials": [login], "actions": actions}
    settings, data = folder / "s3.json", folder / "data"
    settings.write_text(json.dumps({"identities": [account]}))
    data.mkdir()
    options: dict[str, Any] = {"dir": data, "ip": "127.0.0.1", "s3.config": settings}
    names = [
        f"{part}.port{suffix}"
        for part in ("master", "volume", "filer", "s3")
        for suffix in ("", ".grpc")
    ]
    options |= dict(zip(names, _free_ports(len(names)), strict=True))
    given = (f"-{name}={value}" for name, value in options.items())
    command = [str(program), "server", "-s3", *given]
    with (
        open(folder / "log", "w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            endpoint = f"http://127.0.0.1:{options['s3.port']}"
            _wait(endpoint, process, folder / "log")
            yield endpoint
        finally:
            process.kill()


def _free_ports(number: int) -> list[int]:
    """Return ports that nobody listens on at the moment."""
    free = [socket.socket() for _ in range(number)]
    try:
        for one in free:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in free]
    finally:
        for one in free:
            one.close()


def _wait(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server has made the bucket, and takes objects."""
    last = time.monotonic() + PATIENCE
    while True:
        try:
            made = bucket(endpoint)
            made.create()
            made.put_object(Key="first", Body=b"1")
            made.Object("first").delete()
        except Exception as error:
            if process.poll() is not None or time.monotonic() > last:
                raise RuntimeError(f"SeaweedFS has not started: {log.read_text()}") from error
            time.sleep(0.2)
        else:
            return
