"""A server that speaks S3 on this machine, and the ways to a place on it: s3fs and obstore."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from zarr.abc.store import Store
from zarr.storage import FsspecStore, ObjectStore

BUCKET = "bucket"
REGION = "us-east-1"
# The servers of the tests know this account. Nobody may find its secret in what users see.
KEY, SECRET = "KEYkeyKEY", "SECRETsecretSECRET"
WAYS = ("s3fs", "obstore")

# Stores of s3fs, which warns of their open sessions when they are deleted.
KEPT: list[FsspecStore] = []


# Runs moto's server until the standard input is closed: it ends with the process that started it.
_MOTO = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel("ERROR")
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def moto() -> Iterator[str]:
    """Run moto's server within a context: the address of one with a bucket."""
    with serving([sys.executable, "-c", _MOTO]) as endpoint:
        bucket(endpoint).create()
        yield endpoint


@contextmanager
def serving(command: list[str]) -> Iterator[str]:
    """Run a program that prints the port of its server first, within a context."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port.isdecimal(), f"{command[0]} has not started; see the standard error"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def bucket(endpoint: str) -> Any:
    """Return the bucket, by way of neither of the two: boto3."""
    login = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    boto3: Any = import_module("boto3")
    return boto3.resource("s3", REGION, endpoint_url=endpoint, **login).Bucket(BUCKET)


def objects(endpoint: str, prefix: str = "") -> dict[str, bytes]:
    """Return all objects below a prefix, without the prefix."""
    found = bucket(endpoint).objects.filter(Prefix=prefix)
    return {each.key.removeprefix(prefix): each.get()["Body"].read() for each in found}


def keys(endpoint: str, prefix: str = "") -> list[str]:
    """Return the keys below a prefix, as they are."""
    return [each.key for each in bucket(endpoint).objects.filter(Prefix=prefix)]


def storage_options(way: str, endpoint: str) -> dict[str, Any]:
    """Return the options with which s3fs or obstore opens a URL on a server."""
    if way == "s3fs":
        return {
            "key": KEY,
            "secret": SECRET,
            "endpoint_url": endpoint,
            "client_kwargs": {"region_name": REGION},
        }
    return {
        "access_key_id": KEY,
        "secret_access_key": SECRET,
        "endpoint": endpoint,
        "region": REGION,
        "client_options": {"allow_http": True},
    }


def s3_store(way: str, endpoint: str, path: str, **more: Any) -> Store:
    """Return a place on a server."""
    options = storage_options(way, endpoint) | more
    if way == "s3fs":
        options["skip_instance_cache"] = True
        KEPT.append(FsspecStore.from_url(f"s3://{BUCKET}/{path}", storage_options=options))
        return KEPT[-1]
    obstore: Any = import_module("obstore.store")
    return ObjectStore(obstore.from_url(f"s3://{BUCKET}/{path}", **options))
