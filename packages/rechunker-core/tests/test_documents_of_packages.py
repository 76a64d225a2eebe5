"""Documents show the code that is tested, not a copy that has aged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
TUTORIAL = REPOSITORY / "docs" / "writing-an-executor.md"
EXAMPLE = REPOSITORY / "examples" / "rechunker-threads"
SHOWN = re.compile(
    r"^\[`([^`]+)`\]\(\.\./([^)]+)\):\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)

shown = {path: text for _, path, text in SHOWN.findall(TUTORIAL.read_text("utf-8"))}


@pytest.mark.parametrize("path", shown)
def test_the_tutorial_shows_the_files_as_they_are(path: str) -> None:
    assert (REPOSITORY / path).read_text("utf-8") == shown[path]


def test_the_tutorial_shows_all_that_there_is_to_write() -> None:
    written = {path for path in EXAMPLE.rglob("*.py") if path.name != "__init__.py"}
    assert {REPOSITORY / path for path in shown} == {*written, EXAMPLE / "pyproject.toml"}
