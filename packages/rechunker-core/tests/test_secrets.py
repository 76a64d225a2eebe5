"""Credentials are shown nowhere, also those that are part of a URL."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from cases import about
from zarr.storage import FsspecStore, StorePath

import rechunker
from rechunker.copying import CopyError
from rechunker.stores import JOURNAL, hide_secrets, without_secrets

SECRET = "SECRETsecretSECRET"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"https://me:{SECRET}@host/a", "https://host/a"),
        (f"ftp://{SECRET}@host:21/a@b", "ftp://host:21/a@b"),
        (f"'s3://me:p@{SECRET}@host'", "'s3://host'"),
        (f"(a https://x:{SECRET}@h, b)", "(a https://h, b)"),
        (f"https://h/a?X-Amz-Signature={SECRET}&b=c", "https://h/a?X-Amz-Signature=***&b=c"),
        (f"h?x-amz-credential={SECRET}%2F1&x-amz-date=1", "h?x-amz-credential=***&x-amz-date=1"),
        (f"h?X-Amz-Security-Token={SECRET}/+=#a", "h?X-Amz-Security-Token=***#a"),
        (f"h/a?sv=1&sig={SECRET}", "h/a?sv=1&sig=***"),
        (f"<FsspecStore(h/a?token={SECRET})>/b", "<FsspecStore(h/a?token=***)>/b"),
        (f"Credential=A/{SECRET}, Signature={SECRET}", "Credential=***, Signature=***"),
        (f"Authorization: Bearer {SECRET}", "Authorization: Bearer ***"),
        (f"{{'secret': '{SECRET}', 'b': '1'}}", "{'secret': '***', 'b': '1'}"),
        (f'S3(secret_access_key="{SECRET}", b="1")', "S3(secret_access_key='***', b=\"1\")"),
        (f'password: Some(\n "{SECRET}",\n)', "password: Some(\n '***',\n)"),
        (f"<AWSAccessKeyId>{SECRET}</AWSAccessKeyId>", "<AWSAccessKeyId>***</AWSAccessKeyId>"),
    ],
)
def test_secrets_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "file:///data/a@b/c",
        "s3://bucket/key=1/token/a.zarr",
        "<Array memory://1234/a shape=(4,) dtype=int32>",
        "chunk (3, 0) at file:///air.zarr/c/3/0: ValueError: the object decodes to 320 bytes",
        "https://host/a?versionId=1&prefix=b",
        "target_options: the key 'compressor' is unknown; it has key=3",
    ],
)
def test_all_other_texts_are_shown_as_they_are(text: str) -> None:
    assert without_secrets(text) == text


def test_long_texts_are_searched_fast() -> None:
    for text in ("a" * 300_000, "token" * 60_000, "://" * 100_000, "?" * 300_000, "<" * 300_000):
        with about(text[:5]):
            assert without_secrets(text) == text


def test_errors_are_changed_with_all_that_is_behind_them() -> None:
    error = ValueError(f"a https://a:{SECRET}@b")
    error.__cause__ = OSError(5, f"https://a:{SECRET}@b")
    error.__cause__.__context__ = KeyError(f"?sig={SECRET}")
    error.add_note(f"token='{SECRET}'")
    assert hide_secrets(error)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert str(error) == "a https://b"


# A source with a password in its URL.


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, but for one chunk."""

    def do_GET(self) -> None:
        if self.path.partition("?")[0].endswith(self.server.broken):  # type: ignore[attr-defined]
            self.send_error(500)
        else:
            super().do_GET()

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    array = zarr.create_array(tmp_path / "s", shape=(40, 30), chunks=(2, 30), dtype="i4")
    array[...] = np.arange(1200).reshape(40, 30) + 1
    handler = partial(Handler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.broken = "/c/15/0"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def source(server: ThreadingHTTPServer) -> zarr.Array[Any]:
    url = f"http://user:{SECRET}@127.0.0.1:{server.server_port}/s"
    array = zarr.open_array(FsspecStore.from_url(url), mode="r", zarr_format=3)
    assert SECRET in repr(array)  # Zarr shows it
    return array


def plan(source: Any, folder: Path) -> rechunker.Rechunked[Any]:
    temp = folder / "x"
    return rechunker.rechunk(source, (40, 2), "2kB", folder / "t", None, temp, executor="python")


def test_a_password_in_a_url_is_shown_nowhere(
    source: zarr.Array[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "rechunker")
    planned = plan(source, tmp_path)
    with pytest.raises(CopyError, match="ClientResponseError: 500") as raised:
        planned.execute(retries=1)
    html: Any = planned._repr_html_()
    texts = [repr(planned), html, str(planned.copy_plan), str(planned.plan), caplog.text]
    texts += traceback.format_exception(raised.value)
    assert "retrying" in caplog.text
    assert "http://127.0.0.1" in texts[0]
    assert SECRET not in "".join(texts)


def test_a_password_in_a_url_is_not_in_the_journal(
    server: ThreadingHTTPServer, source: zarr.Array[Any], tmp_path: Path
) -> None:
    with pytest.raises(CopyError):
        plan(source, tmp_path).execute()
    found = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    facts = json.loads((tmp_path / "t" / JOURNAL / "plan").read_bytes())
    assert "http://127.0.0.1" in facts["arrays"]["the array"]["source"]
    assert not [path for path, content in found.items() if SECRET.encode() in content]
    server.broken = "nothing"  # type: ignore[attr-defined]
    target = plan(source, tmp_path).execute(resume=True)
    np.testing.assert_array_equal(target[...], zarr.open_array(tmp_path / "s", mode="r")[...])


def test_a_password_is_in_no_error_about_a_place(source: zarr.Array[Any], tmp_path: Path) -> None:
    place = StorePath(source.store_path.store, "nothing")
    calls: list[Any] = [
        lambda: rechunker.verify(source, place),
        lambda: rechunker.rechunk(source, (40, 2), "1MB", place, executor="python"),
        lambda: rechunker.rechunk(source, (40, 2), "1MB", source.store_path, executor="python"),
        lambda: rechunker.rechunk(source, (40, 2), "1MB", source, executor="python"),
    ]
    for number, call in enumerate(calls):
        with about(number), pytest.raises((ValueError, OSError, TypeError)) as raised:
            call()
        assert SECRET not in "".join(traceback.format_exception(raised.value))
