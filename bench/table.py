"""Compare Rechunker with the limit and with its peers: `python bench/table.py --cache FOLDER`.

Each peer runs in an environment of its own, which the first run installs from PyPI. Limit,
Rechunker and peers take turns, each in a new process; what is printed are tables in Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import zarr

from climate import write_source
from compare import differences
from environments import PEERS, environment, version
from rechunker.sizes import format_bytes
from runs import Limits, Run, put_away, run_limit, run_program, run_project
from usage import Usage
from workloads import WORKLOADS, Workload

__all__ = ["main"]

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in PEERS.glob("*.py"))
# It reads format 2 of Zarr alone, of which it is given a source of its own.
OLD = "ancestor"


@dataclass
class Rounds:
    """What limit, Rechunker and peers took for one workload, one entry per round.

    Parameters
    ----------
    workload
        The workload.
    limit
        Usage of the limit; empty for a workload that has none.
    project
        Usage of Rechunker.
    peers
        Runs of each peer. One that fails is not tried again.
    """

    workload: Workload
    limit: list[Usage] = field(default_factory=list)
    project: list[Usage] = field(default_factory=list)
    peers: dict[str, list[Run]] = field(default_factory=dict)


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line names, and print tables."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="rechunker-bench-") as scratch:
        cache = options.cache or Path(scratch, "cache")
        cache.mkdir(parents=True, exist_ok=True)
        pythons = {name: environment(PEERS / f"{name}.py", cache) for name in options.peers}
        limits = Limits(60 * options.minutes, int(options.gigabytes * 10**9))
        table = []
        for name in options.names:
            workload = WORKLOADS[name].shrunk(options.small)
            bench = Bench(workload, cache, options.small, Path(scratch), limits)
            table.append(bench.measure(options.rounds, pythons))
    print(*project_table(table), sep="\n")
    if options.peers:
        print("", *peer_table(table, options.peers), sep="\n")
        versions = {version(PEERS / f"{name}.py", python) for name, python in pythons.items()}
        print("", ", ".join(sorted(versions)), sep="\n")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option, known in (("--names", list(WORKLOADS)), ("--peers", NAMES)):
        # Without peers, Rechunker is compared with the limit alone.
        count = "*" if option == "--peers" else "+"
        parser.add_argument(
            option, nargs=count, choices=known, default=known, help="default: all", metavar="NAME"
        )
    parser.add_argument("--rounds", type=int, default=3, metavar="R", help="runs of each")
    parser.add_argument("--small", type=int, default=1, metavar="N", help="divide the axes by N")
    parser.add_argument("--cache", type=Path, help="keep sources and environments in this folder")
    parser.add_argument("--minutes", type=float, default=10, help="limit of a run of a peer")
    parser.add_argument("--gigabytes", type=float, default=8, help="limit of a run of a peer")
    return parser.parse_args(arguments)


@dataclass(frozen=True)
class Bench:
    """The measurement of one workload.

    Parameters
    ----------
    workload
        The workload.
    cache
        Folder of the sources.
    small
        By how much the workload is smaller than its name says.
    scratch
        Folder to write to.
    limits
        Limits of a run of a peer.
    """

    workload: Workload
    cache: Path
    small: int
    scratch: Path
    limits: Limits

    def measure(self, number: int, pythons: Mapping[str, Path]) -> Rounds:
        """Run limit, Rechunker and peers in turn, a number of times."""
        work, source = self.workload, self._source()
        # Peers ask for every chunk, stored or not.
        rounds = Rounds(work, peers={} if work.stored else {name: [] for name in pythons})
        write_source(work, source)
        for _ in range(number):
            if not work.stored:
                rounds.limit.append(run_limit(work, source, self.scratch))
                self._tell("limit", rounds.limit[-1])
            rounds.project.append(run_project(work, source, self.scratch).usage)
            self._tell("rechunker", rounds.project[-1])
            for name, runs in rounds.peers.items():
                if not runs or not runs[-1].failure:
                    runs.append(self._run_peer(name, pythons[name], is_first=not runs))
                    self._tell(name, runs[-1].failure or runs[-1].usage)
        return rounds

    def _source(self, old: bool = False) -> Path:
        return self.cache / f"{self.workload.name}-{self.small}{'-v2' if old else ''}.zarr"

    def _tell(self, name: str, outcome: object) -> None:
        print(f"{self.workload.name}: {name}: {outcome}", file=sys.stderr, flush=True)

    def _run_peer(self, name: str, python: Path, *, is_first: bool) -> Run:
        """Run a peer, and compare its target with the source the first time."""
        work, source = self.workload, self._source()
        if name == OLD and not (work.source_shards or work.target_shards):
            source = self._source(old=True)
            write_source(work, source, zarr_format=2)
        target, temp = self.scratch / "target", self.scratch / "temp"
        program = ["-P", str(PEERS / f"{name}.py"), work.to_json()]
        command = [str(python), *program, *map(str, (source, target, temp))]
        run = run_program(command, self.limits, {"PYTHONPATH": str(HERE)})
        if is_first and not run.failure:
            one, other = (zarr.open_array(folder, mode="r") for folder in (source, target))
            different = differences(one, other)
            run = Run(run.usage, f"{different} elements differ" if different else "", run.printed)
        for folder in (target, temp):
            put_away(folder)
        return run


def project_table(table: list[Rounds]) -> list[str]:
    """Return the lines of a table that compares Rechunker with the limit."""
    head = ["workload", "limit: CPU", "CPU / limit", "user CPU / limit", "time / limit"]
    lines = markdown([*head, "peak / `max_mem`"])
    for rounds in table:
        pairs = [(rounds.project, rounds.limit, name) for name in ("cpu", "user", "wall")]
        limit = [f"{median(one.cpu for one in rounds.limit):.1f} s"] if rounds.limit else ["none"]
        figures = [ratio(*pair) for pair in pairs]
        lines.append(
            row([describe(rounds.workload), *limit, *figures, peak(rounds, rounds.project)])
        )
    return lines


def peer_table(table: list[Rounds], names: list[str]) -> list[str]:
    """Return the lines of a table with CPU / limit, time / limit and peak / max_mem of all."""
    lines = markdown(["CPU / time / peak", "rechunker", *names])
    for rounds in (rounds for rounds in table if rounds.peers):
        cells = [triple(rounds, rounds.project)]
        for name in names:
            runs = rounds.peers[name]
            failure = next((run.failure for run in runs if run.failure), "")
            cells.append(failure or triple(rounds, [run.usage for run in runs]))
        lines.append(row([rounds.workload.name, *cells]))
    return lines


def triple(rounds: Rounds, usages: list[Usage]) -> str:
    """Return the figures of a program in one cell."""
    figures = (ratio(usages, rounds.limit, name) for name in ("cpu", "wall"))
    return " / ".join([*figures, peak(rounds, usages)])


def ratio(usages: list[Usage], limits: list[Usage], name: str) -> str:
    """Return the median of the ratios to the limit in the same round, or of the seconds."""
    figures = [getattr(one, name) for one in usages]
    if not limits:
        return f"{median(figures):.1f} s"
    # Ticks of the clock are too coarse for what is very short.
    floors = [max(getattr(one, name), 0.01) for one in limits]
    return f"{median(a / b for a, b in zip(figures, floors, strict=False)):.2f}"


def peak(rounds: Rounds, usages: list[Usage]) -> str:
    """Return the largest peak of memory above the baseline, over that allowed."""
    return f"{max(usage.peak for usage in usages) / rounds.workload.max_mem:.2f}"


def describe(work: Workload) -> str:
    """Return the geometry of a workload in one cell."""

    def chunks(chunk: tuple[int, ...], shards: tuple[int, ...] | None) -> str:
        return f"{chunk} in {shards}" if shards else f"{chunk}"

    return (
        f"**{work.name}** {work.shape}: {chunks(work.source, work.source_shards)} to "
        f"{chunks(work.target, work.target_shards)}, {format_bytes(work.max_mem)}"
    )


def markdown(head: list[str]) -> list[str]:
    """Return the first two lines of a table."""
    return [row(head), row(["---"] * len(head))]


def row(cells: list[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
