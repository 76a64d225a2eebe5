"""The repository: what holds for all of its files, and the program that runs its sessions."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]


def texts() -> Iterator[Path]:
    """All that people wrote: what is hidden or built is left out."""
    for top in REPOSITORY.iterdir():
        if not top.name.startswith("."):
            found = top.rglob("*") if top.is_dir() else [top]
            yield from (path for path in found if path.suffix in (".py", ".md", ".toml"))


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    folder = re.compile(r"(?<![\w:/.*])/(home|root|work|tmp|Users)/")
    assert not [path for path in texts() if folder.search(path.read_text("utf-8"))]


def test_no_test_is_passed_over() -> None:
    skipped = re.compile(r"\.skip\b|importorskip|skipif|\bxfail\(")
    folders = ("tests", "object_stores", "icechunk_targets", "zarrs_pipeline")
    tests = [path for path in texts() if path.parent.name in folders and path != Path(__file__)]
    assert not [path for path in tests if skipped.search(path.read_text("utf-8"))]


def test_all_packages_have_one_version() -> None:
    files = REPOSITORY.glob("packages/*/pyproject.toml")
    versions = {tomllib.loads(path.read_text("utf-8"))["project"]["version"] for path in files}
    assert len(versions) == 1


def test_all_packages_have_one_licence() -> None:
    packages = [path.parent for path in REPOSITORY.glob("packages/*/pyproject.toml")]
    licences = {(folder / "LICENSE").read_text("utf-8") for folder in [REPOSITORY, *packages]}
    assert len(licences) == 1


@pytest.fixture
def run() -> ModuleType:
    """Import the program run.py, a namesake of one in bench."""
    spec = importlib.util.spec_from_file_location("run_sessions", REPOSITORY / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PASSED = "===== 5 passed in 0.10s =====\n"
FAILED = "===== 1 failed, 5 passed, 2 warnings in 71.20s (0:01:11) =====\n"


@pytest.mark.parametrize("closing", [PASSED, FAILED])
def test_the_last_words_are_those_of_the_last_tests(
    closing: str, run: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    run.echo(["collected 5\n", closing, "nox > Session tests.\n", "nox > * tests: done\n"])
    printed = capsys.readouterr().out
    assert printed == "collected 5\nnox > Session tests.\nnox > * tests: done\n" + closing


def test_what_others_say_keeps_its_order(
    run: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["a\n", PASSED, "nox > next\n", "b\n", FAILED, "c\n"]
    run.echo(lines)
    assert capsys.readouterr().out == "".join(lines)


def test_all_sessions_that_run_together_exist(run: ModuleType) -> None:
    noxfile = (REPOSITORY / "noxfile.py").read_text("utf-8")
    sessions = set(re.findall(r"^def (\w+)\(session: nox.Session", noxfile, re.MULTILINE))
    lists = [names for group in run.GROUPS.values() for names in group]
    called = {name.replace("_", "-") for name in sessions}
    parts = {name.partition("(")[::2] for names in lists for name in names}
    assert {name for name, _ in parts} <= called
    assert all(f'id="{part[:-1]}"' in noxfile for _, part in parts if part)


def test_what_runs_side_by_side_is_printed_in_order(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(arguments: list[str], output: Any) -> Any:
        seconds, text, code = arguments
        program = f"import time; time.sleep({seconds}); print({text!r}); raise SystemExit({code})"
        return subprocess.Popen([sys.executable, "-c", program], stdout=output, text=True)

    monkeypatch.setattr(run, "start", start)
    lines, codes = run.run(["1", "first", "0"], ["0", "second", "3"], ["0", "third", "0"])
    assert list(lines) == ["first\n", "second\n", "third\n"]
    assert codes == [0, 3, 0]
