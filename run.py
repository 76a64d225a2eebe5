"""Install nox in `.nox` and run its sessions: `python run.py demo`, `python run.py tests`.

Needs only Python 3.11 or newer with pip; everything is installed into `.nox`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".nox" / f"nox-{sys.version_info.major}.{sys.version_info.minor}"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
NOX = "nox[uv]>=2026.4"
# Sessions in order: those that take seconds come first, "tests" last, so that its summary is last.
CHECKS = ["lint", "typecheck", "bare", "doctests", "minimums", "together"]
GROUPS = {
    "demo": ["demo"],
    "tests": [*CHECKS, "tests"],
    "everything": [*CHECKS, "oldest", "thorough", "tests"],
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


def main(arguments: list[str]) -> int:
    """Run a group of sessions if the first argument names one, otherwise nox with the arguments."""
    install()
    group = GROUPS.get(arguments[0] if arguments else "tests")
    chosen = ["--session", *group, *arguments[1:]] if group else arguments
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    with subprocess.Popen(
        [BIN / "nox", "--noxfile", ROOT / "noxfile.py", *chosen],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as nox:
        assert nox.stdout is not None
        echo(nox.stdout)
    return nox.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
