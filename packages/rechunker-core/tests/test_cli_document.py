"""The examples of the document on the command line do what it says."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from targets import arrays, is_equal

from rechunker.cli import main
from rechunker.cli.chunk_texts import chunks_to_texts, parse_chunks

REPOSITORY = Path(__file__).parents[3]
DOCUMENT = (REPOSITORY / "docs" / "command-line.md").read_text("utf-8")
README = (REPOSITORY / "README.md").read_text("utf-8")
MATCHES = doctest.OutputChecker().check_output
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the examples use, to which they are moved."""
    monkeypatch.chdir(tmp_path)
    group = zarr.create_group("maps.zarr")
    dims = ("time", "lat", "lon")
    air = group.create_array(
        "air", shape=(120, 20, 40), chunks=(1, 20, 40), dtype="f4", dimension_names=dims
    )
    air[...] = np.random.default_rng(0).random(air.shape, "f4")
    time = group.create_array(
        "time", shape=(120,), chunks=(120,), dtype="i4", dimension_names=dims[:1]
    )
    time[...] = np.arange(120)
    return tmp_path


def test_commands_print_what_the_document_shows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks("console"):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            program, *words = shlex.split(command)
            code = main(words)
            printed = capsys.readouterr()
            assert program == "rechunker"
            assert (code, printed.err) == (3 if '"equal": false' in shown else 0, ""), command
            assert MATCHES(shown, printed.out, FLAGS), f"{command}\n{printed.out}"


def test_the_script_of_the_document_runs(folder: Path) -> None:
    (script,) = blocks("sh")
    (folder / "rechunker").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rechunker "$@"\n')
    (folder / "rechunker").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(["sh", "-eu", "-c", script], env=environment, stderr=-1, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert is_equal(arrays("jobs.zarr"), arrays("maps.zarr"))


def test_the_command_of_the_readme_runs(folder: Path) -> None:
    (command,) = re.findall(r"^rechunker (copy (?:.*\\\n)*.*)$", README, re.MULTILINE)
    assert main(shlex.split(command.replace("\\\n", ""))) == 0
    assert is_equal(arrays("series.zarr"), arrays("maps.zarr"))


def test_texts_of_chunks_mean_what_the_table_says() -> None:
    _, _, table = DOCUMENT.partition("| text | in Python |\n|---|---|\n")
    rows = re.findall(r"^\| (.*) \| (.*) \|$", table.partition("\n\n")[0], re.MULTILINE)
    pairs = [
        (text, meaning)
        for left, right in rows
        for text, meaning in zip(
            *(re.findall("`(.*?)`", cell) for cell in (left, right)), strict=True
        )
    ]
    assert len(pairs) > 10
    for text, meaning in pairs:
        expected = eval(meaning)
        assert parse_chunks([text]) == expected, text
        assert parse_chunks(chunks_to_texts(expected)) == expected
