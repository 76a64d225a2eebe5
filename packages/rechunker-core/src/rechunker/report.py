"""Reports: what an execution did, stage by stage, next to what was predicted."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any

from rechunker.planning import StagePlan
from rechunker.sizes import format_bytes
from rechunker.traffic import Traffic

__all__ = ["Report", "StageReport", "versions"]

# Figures that are predicted, in the order in which they are shown.
_PREDICTED = ("tasks", "gets", "puts", "bytes_read", "bytes_written")


@dataclass(frozen=True)
class StageReport:
    """One stage of an execution.

    Parameters
    ----------
    name
        Name of the stage, such as ``"air: read"``.
    predicted
        The stage as planned; None for stages that copy nothing.
    executed
        What its tasks did; None if nothing of it was counted.
    """

    name: str
    predicted: StagePlan | None
    executed: Traffic | None

    def to_dict(self) -> dict[str, Any]:
        """Return the report of the stage as JSON has it."""
        plan = self.predicted
        return {
            "name": self.name,
            "predicted": None if plan is None else {n: getattr(plan, n) for n in _NAMES},
            "executed": None if self.executed is None else _figures(self.executed),
        }


@dataclass(frozen=True, repr=False)
class Report:
    """What an execution did, shown as a table.

    Parameters
    ----------
    executor
        The executor, as it shows itself.
    began
        Time of the start (ISO 8601, UTC).
    seconds
        Time from the start to the end, in seconds.
    traffic
        Traffic of all tasks of this execution; None if the executor does not count it. Tasks that
        an earlier execution had done count as `known`.
    stages
        The stages in order. Their `seconds` are added up over all workers.
    digests
        Digests of the arrays by name, if they were verified: those of `rechunker.digest`.
    versions
        Versions of Python and of the packages that took part.
    """

    executor: str
    began: str
    seconds: float
    traffic: Traffic | None
    stages: tuple[StageReport, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        traffic: Traffic | None,
        predicted: Mapping[str, StagePlan],
        *,
        executor: object,
        began: str,
        seconds: float,
        digests: Mapping[str, str],
    ) -> Report:
        """Return the report of an execution.

        Parameters
        ----------
        traffic
            What the executor has counted.
        predicted
            Planned stages, by name.
        executor, began, seconds, digests
            As for `Report`; the executor itself.
        """
        executed = {} if traffic is None else dict(traffic.stages)
        names = [*predicted, *(name for name in executed if name not in predicted)]
        stages = tuple(
            StageReport(name, predicted.get(name), executed.get(name))
            for name in names
            if name in predicted or executed[name].tasks or executed[name].known
        )
        package = type(executor).__module__.partition(".")[0]
        return cls(
            repr(executor), began, seconds, traffic, stages, dict(digests), versions(package)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it: dicts, lists, strings and numbers."""
        return {
            **{name: getattr(self, name) for name in ("executor", "began", "seconds")},
            "traffic": None if self.traffic is None else _figures(self.traffic),
            "stages": [stage.to_dict() for stage in self.stages],
            "digests": dict(self.digests),
            "versions": dict(self.versions),
        }

    def __repr__(self) -> str:
        digests = [
            f"digest of {name or 'the array'}: {of}"
            for name, of in islice(self.digests.items(), _SHOWN)
        ]
        packages = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return "\n".join(
            (
                f"{self.executor}, {self.began}, {self.seconds:.3g} seconds",
                *_shortened(_table(self.stages[:_SHOWN]), len(self.stages), "stages"),
                *_totals(self.traffic),
                *_shortened(digests, len(self.digests), "digests"),
                packages,
            )
        )


_NAMES = (*_PREDICTED, "memory")
# Stages, and digests, that are shown.
_SHOWN = 30


def _shortened(lines: list[str], number: int, what: str) -> list[str]:
    left = f"and {number - _SHOWN:,} more {what}: to_dict() has them all"
    return [*lines, left] if number > _SHOWN else lines


def _figures(traffic: Traffic) -> dict[str, int | float]:
    return {**traffic.figures, "peak_memory": traffic.peak_memory}


def _table(stages: tuple[StageReport, ...]) -> list[str]:
    """Return the lines of a table: two for each stage, what was predicted and what was done."""
    rows = [["stage", "", "tasks", "gets", "puts", "read", "written", "known", "retries", "CPU"]]
    for stage in stages:
        if stage.predicted is not None:
            rows.append([stage.name, "predicted", *_shown(stage.predicted), "", "", ""])
        if stage.executed is not None:
            name = stage.name if stage.predicted is None else ""
            done = stage.executed
            more = [f"{done.known:,}", f"{done.retries:,}", f"{done.cpu_seconds:.3g} s"]
            rows.append([name, "executed", *_shown(done), *more])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [*map(str.ljust, row[:2], widths[:2]), *map(str.rjust, row[2:], widths[2:])]
        ).rstrip()
        for row in rows
    ]


def _shown(figures: StagePlan | Traffic) -> list[str]:
    numbers = [f"{getattr(figures, name):,}" for name in _PREDICTED[:3]]
    return [*numbers, *(format_bytes(getattr(figures, name)) for name in _PREDICTED[3:])]


def _totals(traffic: Traffic | None) -> list[str]:
    if traffic is None:
        return ["the executor has counted nothing"]
    memory = format_bytes(traffic.peak_memory) if traffic.peak_memory else "unknown"
    return [
        f"stored bytes: {format_bytes(traffic.stored_read)} read, "
        f"{format_bytes(traffic.stored_written)} written; retries: {traffic.retries:,}",
        f"chunks left out: {traffic.empty:,}; chunks known to be missing: {traffic.missing:,}; "
        f"chunks read with the request of another one: {traffic.joined:,}",
        f"time of the tasks: {traffic.seconds:.3g} seconds, CPU: {traffic.cpu_seconds:.3g} "
        f"seconds; peak memory of a process: {memory}",
    ]


def versions(package: str) -> dict[str, str]:
    """Return the versions of Python and of the packages that take part in an execution.

    Parameters
    ----------
    package
        Import name of the package of the executor.

    Examples
    --------
    >>> list(versions("rechunker"))
    ['python', 'rechunker-core', 'zarr', 'numpy', 'numcodecs']
    """
    found = {"python": platform.python_version()}
    of_executor = [] if package == "rechunker" else [package.replace("_", "-")]
    for name in ("rechunker-core", *of_executor, "zarr", "numpy", "numcodecs"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
