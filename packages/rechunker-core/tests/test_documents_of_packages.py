"""Documents show the code that is tested, not a copy that has aged."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import rechunker

REPOSITORY = Path(__file__).parents[3]
DOCS = REPOSITORY / "docs"
REFERENCE = DOCS / "api"
TUTORIAL = DOCS / "writing-an-executor.md"
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


def test_the_reference_has_every_public_name() -> None:
    pages = "".join(path.read_text("utf-8") for path in REFERENCE.glob("*.md"))
    shown = re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE)
    assert len(shown) == len(set(shown))
    assert {f"rechunker.{name}" for name in rechunker.__all__ if name != "__version__"} <= {*shown}


@pytest.mark.parametrize("package", ["beam", "dask", "prefect", "pywren"])
def test_the_reference_has_every_public_name_of_an_executor(package: str) -> None:
    module = f"rechunker_{package}"
    source = REPOSITORY / "packages" / f"rechunker-{package}" / "src" / module / "__init__.py"
    (names,) = re.findall(
        r"^__all__ = \[(.*?)\]", source.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    page = (REFERENCE / "executors.md").read_text("utf-8")
    assert {f"::: {module}.{name}" for name in re.findall(r"\w+", names)} <= {*page.split("\n")}


def test_every_page_has_its_place_in_the_site() -> None:
    places = (REPOSITORY / "mkdocs.yml").read_text("utf-8")
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert pages <= set(re.findall(r"^ +- (?:.*: )?(\S+\.md)$", places, re.MULTILINE))


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = json.loads((DOCS / "tutorial.ipynb").read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]]
