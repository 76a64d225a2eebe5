"""The command line as processes: on a terminal, interrupted, and without typer."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import zarr

from rechunker.cli import main
from rechunker.stores import CLAIM, JOURNAL

PROGRAM = (sys.executable, "-m", "rechunker")
CTRL_C = b"\x03"


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Return a folder with an array of 4 MB."""
    array = zarr.create_array(
        tmp_path / "maps.zarr",
        shape=(80, 80, 80),
        chunks=(4, 80, 80),
        dtype="i8",
        compressors=None,
        dimension_names=("time", "y", "x"),
    )
    array[...] = np.random.default_rng(0).integers(0, 100, array.shape)
    return tmp_path


COPY = (
    *("copy", "maps.zarr", "series.zarr", "--chunks", "time=-1,y=10,x=10"),
    *("--max-mem", "700kB", "--temp", "temp", "--executor", "python"),
)
# A second or two for each MB, in two stages.
SLOWLY = ("--codec", "gzip:level=9")


def heed_ctrl_c() -> None:
    """Undo what a shell does to a command in the background: let it ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, words: tuple[str, ...], folder: Path) -> None:
        self.shown = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            [*PROGRAM, *words],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=self._control,
        )
        os.close(slave)

    @staticmethod
    def _control() -> None:
        """Let the terminal control the new session, so that it sends the signal of Ctrl-C."""
        heed_ctrl_c()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self, until: str = "$never", seconds: float = 200) -> re.Match[str] | None:
        """Read what is shown until a pattern matches, or the process ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            match = re.search(until, self.text)
            if match is not None:
                return match
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    part = os.read(self._master, 65536)
                except OSError:  # the other end is closed
                    part = b""
                if not part:
                    return re.search(until, self.text)
                self.shown += part
        raise AssertionError(f"not shown in {seconds} seconds: {until!r} in {self.text!r}")

    @property
    def text(self) -> str:
        return self.shown.decode(errors="replace")

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def wait(self) -> int:
        self.read()
        code = self.process.wait(60)
        os.close(self._master)
        return code


def test_a_run_on_a_terminal_is_interrupted_and_goes_on(maps: Path) -> None:
    terminal = Terminal((*COPY, *SLOWLY), maps)
    # With rate and time left. The second stage takes most of the time.
    assert terminal.read(r"[5-9]\d%\|[^|\r]*\|[^\r]*\[\d+:\d+<\d+:\d+, +[\d.]+[kM]?B/s\]")
    terminal.type(CTRL_C)
    assert terminal.wait() == 130
    last = terminal.text.split("\n")[-2].strip()
    assert last == "Interrupted. The same command with --resume goes on with what is done."
    assert "Traceback" not in terminal.text
    assert (maps / "series.zarr" / JOURNAL).exists()
    assert not (maps / "series.zarr" / CLAIM).exists()
    assert not (maps / "series.zarr" / "zarr.json").exists()

    again = Terminal((*COPY, *SLOWLY, "--resume"), maps)
    assert again.wait() == 0
    known = re.search(r"(\d+) tasks were done before", again.text)
    assert known is not None
    assert int(known[1]) > 5
    source, target = (zarr.open_array(maps / name) for name in ("maps.zarr", "series.zarr"))
    assert target.chunks == (80, 10, 10)
    assert np.asarray(source[...]).tobytes() == np.asarray(target[...]).tobytes()
    assert not [*(maps / "series.zarr").glob(".rechunker*"), *(maps / "temp").iterdir()]


def test_a_question_on_a_terminal_is_answered(maps: Path) -> None:
    (maps / "maps.zarr" / "c" / "15" / "0" / "0").write_bytes(b"damaged")
    ended = subprocess.run([*PROGRAM, *COPY], cwd=maps, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    journal = maps / "series.zarr" / JOURNAL
    for answer, stays in ((b"n\n", True), (b"y\n", False)):
        terminal = Terminal(("clean", "."), maps)
        terminal.read(r"Remove \d of these\? \[y/N\]")
        terminal.type(answer)
        assert terminal.wait() == 0
        assert journal.exists() == stays


def test_a_signal_without_a_terminal_interrupts_too(maps: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, *COPY, *SLOWLY],
        cwd=maps,
        stdout=-1,
        stderr=-1,
        text=True,
        preexec_fn=heed_ctrl_c,
    ) as process:
        while not (maps / "series.zarr" / JOURNAL).exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err.startswith("Interrupted. ")) == ("", True)  # and no progress bar


def test_a_reader_that_ends_early_ends_the_program(maps: Path) -> None:
    script = f'"{sys.executable}" -m rechunker info maps.zarr --json | head -c 1'
    ended = subprocess.run(["sh", "-c", script], cwd=maps, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("{", "")


WITHOUT = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "{package}":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.split(".")[0])
sys.meta_path.insert(0, Block())
from rechunker.cli import main
sys.exit(main({words}))
"""


def without(package: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program where a package is not installed."""
    program = WITHOUT.format(package=package, words=json.dumps(words))
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_without_typer_there_is_a_line_that_says_what_to_install(tmp_path: Path) -> None:
    ended = without("typer", tmp_path, "--help")
    line = 'the command line needs typer: pip install "rechunker-core[cli]"\n'
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", line)


def test_the_program_has_the_name_rechunker() -> None:
    (script,) = entry_points(group="console_scripts", name="rechunker")
    assert script.load() is main


def test_help_and_completion_need_no_zarr(tmp_path: Path) -> None:
    assert without("zarr", tmp_path, "copy", "--help").returncode == 0
    for words, completed in (
        ("rechunker pl", ["plan"]),
        ("rechunker copy a b --executor pyt", ["python"]),
    ):
        typed = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        environment = {**os.environ, **typed, "_RECHUNKER_COMPLETE": "complete_bash"}
        ended = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True)
        assert ended.stdout.split() == completed
