"""What the documentation says of Icechunk is true."""

from __future__ import annotations

import re
from pathlib import Path

import icechunk
import numpy as np
import pytest
import zarr

DOCUMENT = Path(__file__).parents[2] / "docs" / "icechunk.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    repo = icechunk.Repository.create(icechunk.local_filesystem_storage("repo"))
    source = zarr.create_array("source", shape=(40, 40), chunks=(4, 40), dtype="f8")
    source[...] = np.random.default_rng(0).random((40, 40))
    programs = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert len(programs) == 3
    exec("\n".join(programs), {"source": source})
    assert len(list(repo.ancestry(branch="main"))) == 4
    found = zarr.open_array(repo.readonly_session("main").store, mode="r")
    assert found.chunks == (20, 20)
    np.testing.assert_array_equal(found[...], source[...])
