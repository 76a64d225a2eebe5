"""Credentials do not reach a Prefect server: no log, no state, no name, nothing in its database."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

import conftest
import httpx
import numpy as np
import pytest
import zarr
from fsspec.implementations.local import LocalFileSystem
from zarr.storage import FsspecStore

from rechunker import rechunk
from rechunker.copying import CopyError

fsspec: Any = import_module("fsspec")  # it has no types
SECRET = "SECRETsecretSECRET"
LIMIT_SECONDS = 60


class Vault(LocalFileSystem):  # type: ignore[misc]
    """Local files that want a password, and tell it when they fail."""

    protocol = "vault"

    def __init__(self, *, password: str, **options: Any) -> None:
        assert password == SECRET
        super().__init__(**options)

    def cat_file(self, path: str, *args: Any, **kwargs: Any) -> bytes:
        if path.endswith("c/15/0"):
            raise OSError(f"https://me:{SECRET}@host/{path}?token={SECRET}: not now")
        content: bytes = super().cat_file(path, *args, **kwargs)
        return content


@pytest.fixture
def failed(full: str, tmp_path: Path) -> list[str]:
    """Run a flow whose source fails, with retries; return what the server knows of it."""
    fsspec.register_implementation("vault", Vault, clobber=True)
    array = zarr.create_array(tmp_path / "s", shape=(40, 30), chunks=(2, 30), dtype="i4")
    array[...] = np.arange(1200).reshape(40, 30) + 1
    source = FsspecStore.from_url(f"vault://{tmp_path}/s", storage_options={"password": SECRET})
    planned = rechunk(
        zarr.open_array(source, mode="r"),
        (40, 2),
        "4kB",
        tmp_path / "t",
        temp_store=tmp_path / "x",
        executor="prefect",
    )
    with pytest.raises(CopyError, match="not now"):
        planned.execute(retries=1, flow_run_name="with a password")
    until = time.monotonic() + LIMIT_SECONDS
    while True:
        texts = [
            httpx.post(f"{full}/{what}/filter", json={}).raise_for_status().text
            for what in ("logs", "flow_runs", "task_runs", "artifacts")
        ]
        if "retrying" in texts[0] and '"FAILED"' in texts[1] and '"FAILED"' in texts[2]:
            return texts
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_password_does_not_reach_the_server(failed: list[str]) -> None:
    assert "not now" in failed[0]
    assert "not now" in failed[1]
    assert [text for text in failed if SECRET in text] == []
    databases = [*Path(conftest.home.name).rglob("*.db*")]
    contents = [path.read_bytes() for path in databases]
    assert any(b"with a password" in content for content in contents)
    assert not [content for content in contents if SECRET.encode() in content]
