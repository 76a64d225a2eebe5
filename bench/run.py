"""Compare Rechunker with the lower limit: `python bench/run.py W1 W2 --rounds 3 --cache FOLDER`."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from climate import write_source
from rechunker.sizes import format_bytes
from workloads import WORKLOADS, Workload

__all__ = ["main"]

HERE = Path(__file__).parent
HEADER = (
    f"{'':5}{'':8}{'limit CPU s':>12}{'wall s':>8}{'project CPU s':>15}{'wall s':>8}"
    f"{'CPU ratio':>11}{'wall ratio':>12}{'peak':>12}{'max_mem':>12}"
)


@dataclass(frozen=True)
class Round:
    """Seconds of the limit and of Rechunker, and the peak memory of Rechunker in bytes."""

    limit_cpu: float
    limit_wall: float
    cpu: float
    wall: float
    peak: int

    @property
    def ratios(self) -> tuple[float, float]:
        """CPU time and wall time of Rechunker, divided by those of the limit."""
        return self.cpu / self.limit_cpu, self.wall / self.limit_wall


def main(arguments: list[str] | None = None) -> int:
    """Measure the workloads named on the command line and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(WORKLOADS)} (default: all)"
    )
    parser.add_argument("--small", type=int, default=1, metavar="N", help="divide the axes by N")
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="R", help="number of runs per workload"
    )
    parser.add_argument("--cache", type=Path, help="keep the source arrays in this folder")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(WORKLOADS)
    if unknown:
        parser.error(
            f"workloads must be any of {', '.join(WORKLOADS)}, got {', '.join(sorted(unknown))}"
        )
    print(HEADER)
    with tempfile.TemporaryDirectory(prefix="rechunker-bench-") as scratch:
        for name in options.names or WORKLOADS:
            workload = WORKLOADS[name].shrunk(options.small)
            source = Path(options.cache or scratch, f"{name}-{options.small}.zarr")
            write_source(workload, source)
            rounds = [
                run(workload, options.small, source, Path(scratch)) for _ in range(options.rounds)
            ]
            print(table(workload, rounds), flush=True)
    return 0


def run(workload: Workload, small: int, source: Path, scratch: Path) -> Round:
    """Run the limit and then Rechunker, each in a new process."""
    target, temp = scratch / "target", scratch / "temp"
    lowest = child("limit.py", workload.name, small, source, target)
    shutil.rmtree(target)
    project = child("project.py", workload.name, small, source, target, temp)
    shutil.rmtree(target)
    shutil.rmtree(temp, ignore_errors=True)
    if project["different"]:
        raise SystemExit(f"{workload.name}: {project['different']} elements of the target differ")
    usage = project["usage"]
    return Round(lowest["cpu"], lowest["wall"], usage["cpu"], usage["wall"], usage["peak"])


def child(program: str, *arguments: object) -> dict[str, Any]:
    """Run a program of this folder and return the JSON that it prints."""
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    printed: dict[str, Any] = json.loads(finished.stdout)
    return printed


def table(workload: Workload, rounds: list[Round]) -> str:
    """Return a line with the minimum of each figure, and for several rounds one with the median."""
    kinds = {"min": min, "median": median} if len(rounds) > 1 else {"min": min}
    return "\n".join(line(workload, kind, rounds, pick) for kind, pick in kinds.items())


def line(workload: Workload, kind: str, rounds: list[Round], pick: Any) -> str:
    """Return one line of the table; its peak memory is the maximum over all rounds."""
    seconds = [pick(getattr(one, name) for one in rounds) for name in FIGURES]
    ratios = [pick(ratio) for ratio in zip(*(one.ratios for one in rounds), strict=True)]
    widths = [12, 8, 15, 8]
    return (
        f"{workload.name:5}{kind:8}"
        + "".join(f"{value:{width}.2f}" for value, width in zip(seconds, widths, strict=True))
        + f"{ratios[0]:11.2f}{ratios[1]:12.2f}"
        + f"{format_bytes(max(one.peak for one in rounds)):>12}{format_bytes(workload.max_mem):>12}"
    )


FIGURES = ("limit_cpu", "limit_wall", "cpu", "wall")

if __name__ == "__main__":
    sys.exit(main())
