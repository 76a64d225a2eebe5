"""Install nox in `.nox` and run its sessions: `python run.py demo`, `python run.py tests`.

Needs only Python 3.11 or newer with pip; everything is installed into `.nox`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".nox" / f"nox-{sys.version_info.major}.{sys.version_info.minor}"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
NOX = "nox[uv]>=2026.4"
# Groups of sessions. The lists of a group are run side by side, each in order, and take about the
# same time. What the last list prints comes last, and with it the summary of the tests of the core.
FIRST = ["lint", "docs", "s3", "icechunk", "zarrs", "template"]
SECOND = ["typecheck", "bare", "doctests", "together"]
GROUPS = {
    "demo": [["demo"]],
    "tests": [[*FIRST, "plugins"], [*SECOND, "minimums(third)", "core"]],
    "everything": [
        [*FIRST, "seaweedfs", "engines", "oldest", "xarray-tests", "plugins"],
        [*SECOND, "minimums(all)", "thorough", "core"],
    ],
}
CLOSING = re.compile(r"=+ .*\b(passed|failed|error|errors|no tests ran)\b.* in [\d.]+s.* =+")


def install() -> None:
    """Create the environment and install nox, unless that is already done."""
    installed = HOME / "installed.txt"
    if installed.exists() and installed.read_text() == NOX:
        return
    # An environment without pip can be created even if the system packages ensurepip separately.
    # "pip --python" may install into it even if the system's own environment is externally managed.
    venv.create(HOME, with_pip=False, clear=True)
    pip = [sys.executable, "-m", "pip", "--python", str(BIN / "python")]
    subprocess.run([*pip, "install", "--quiet", NOX], check=True)
    installed.write_text(NOX)


def echo(lines: Iterable[str]) -> None:
    """Print lines as they come, but move the summary line of the last test run to the end."""
    held: list[str] = []
    for line in lines:
        if CLOSING.match(line):
            print(*held, sep="", end="")
            held = [line]
        elif held and line.startswith("nox > "):
            held.append(line)
        else:
            print(*held, line, sep="", end="", flush=True)
            held = []
    print(*held[1:], *held[:1], sep="", end="", flush=True)


def run(*lists: list[str]) -> tuple[Iterator[str], list[int]]:
    """Run nox several times side by side.

    Parameters
    ----------
    *lists
        Arguments of each.

    Returns
    -------
    tuple
        What they print, the first at once and the others when those before have ended; and their
        exit codes, which are complete when all is printed.
    """
    codes: list[int] = []

    def lines() -> Iterator[str]:
        with ExitStack() as stack:
            outputs = [
                stack.enter_context(TemporaryFile("w+", errors="replace")) for _ in lists[1:]
            ]
            others = [start(*pair) for pair in zip(lists[1:], outputs, strict=True)]
            with start(lists[0], subprocess.PIPE) as first:
                assert first.stdout is not None
                yield from first.stdout
            codes.append(first.returncode)
            for process, output in zip(others, outputs, strict=True):
                codes.append(process.wait())
                output.seek(0)
                yield from output

    return lines(), codes


def start(arguments: list[str], output: IO[str] | int) -> subprocess.Popen[str]:
    """Start nox, which prints to a file or a pipe."""
    return subprocess.Popen(
        [BIN / "nox", "--noxfile", ROOT / "noxfile.py", *arguments],
        env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def main(arguments: list[str]) -> int:
    """Run a group of sessions if the first argument names one, otherwise nox with the arguments."""
    install()
    group = GROUPS.get(arguments[0] if arguments else "tests")
    lists = [["--session", *names, *arguments[1:]] for names in group or ()] or [arguments]
    lines, codes = run(*lists)
    echo(lines)
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
