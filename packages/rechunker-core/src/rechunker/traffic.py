"""Traffic: what tasks did, counted while they ran; it can be added up."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

if sys.platform != "win32":
    import resource

__all__ = ["Changes", "Traffic", "peak_memory"]


@dataclass(frozen=True)
class Changes:
    """What tasks have written to a fork of a session, on its way to the process with the session.

    Parameters
    ----------
    done
        Names of stages, and the numbers of the tasks of each whose changes these are.
    content
        The fork, pickled.
    """

    done: tuple[tuple[str, tuple[int, ...]], ...]
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Traffic:
    """Requests and bytes of finished tasks, counted while they ran; traffic can be added up.

    Two of them are equal if the same was read and written, however long it took.

    Parameters
    ----------
    tasks
        Number of tasks.
    gets
        Number of objects, or byte ranges of objects, read from stores.
    puts
        Number of objects written to stores.
    bytes_read, bytes_written
        Decoded bytes of the elements that were read and written.
    stored_read, stored_written
        Encoded bytes that were read from and written to stores; of chunks in an irregular grid,
        which Zarr reads, the decoded bytes.
    empty
        Number of target chunks (or shards) that contain only the fill value and were not written.
    missing
        Number of source chunks (or shards) that were not asked for, because the keys of the source
        or the index of their shard say that they are missing.
    joined
        Number of chunks in shards that were read with the request of another one.
    known
        Number of tasks that were not run, because an earlier execution had done them.
    retries
        Number of tasks, and of requests to stores, that were tried again after an error.
    seconds
        Time that the tasks took, in seconds, added up over all workers.
    cpu_seconds
        CPU time of the threads of the tasks, in seconds.
    peak_memory
        Peak memory (resident set size) of the largest process that ran tasks, in bytes, since that
        process was started; 0 where it is unknown.
    sums
        Names of verified arrays, and the sums over their values (see ``docs/verifying.md``).
    changes
        What tasks in other processes have written to the session of a target (see
        ``docs/icechunk.md``).
    stages
        Names of stages, and the traffic of each.

    Examples
    --------
    >>> Traffic(tasks=2, gets=5) + Traffic(tasks=1) == Traffic(tasks=3, gets=5)
    True
    """

    tasks: int = 0
    gets: int = 0
    puts: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    stored_read: int = 0
    stored_written: int = 0
    empty: int = 0
    missing: int = 0
    joined: int = 0
    known: int = 0
    retries: int = field(default=0, compare=False)
    seconds: float = field(default=0.0, compare=False)
    cpu_seconds: float = field(default=0.0, compare=False)
    peak_memory: int = field(default=0, compare=False)
    sums: tuple[tuple[str, int], ...] = field(default=(), compare=False, repr=False)
    changes: tuple[Changes, ...] = field(default=(), compare=False, repr=False)
    stages: tuple[tuple[str, Traffic], ...] = field(default=(), compare=False, repr=False)

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic.total((self, other))

    @classmethod
    def total(cls, parts: Iterable[Traffic]) -> Traffic:
        """Return the sum of many parts; much faster than adding one after another.

        Parameters
        ----------
        parts
            Any number of them.
        """
        total = _Total()
        for part in parts:
            total.add(part)
        return total.traffic()

    def of_stage(self, name: str, seconds: float = 0.0, cpu_seconds: float = 0.0) -> Traffic:
        """Return this traffic with a note of its stage, of the time it took, and of the memory.

        Parameters
        ----------
        name
            Name of the stage.
        seconds, cpu_seconds
            Time to add, in seconds.
        """
        *figures, before, cpu_before = _get_all(self)
        # By position: this is called for every task, and `dataclasses.replace` takes twice as long.
        make: Any = type(self)
        figures += [before + seconds, cpu_before + cpu_seconds, peak_memory()]
        return cast(Traffic, make(*figures, self.sums, self.changes, ((name, make(*figures)),)))

    @property
    def figures(self) -> dict[str, int | float]:
        """The figures that add up, by their names."""
        return dict(zip(_ADDED, _get_all(self), strict=True))

    def to_counts(self) -> dict[str, int]:
        """Return all of it as integers by name, for engines that count nothing else.

        Times are in microseconds; those of stages have the name of the stage in theirs. Changes of
        sessions are left out.
        """
        counts = {name: _to_count(value) for name, value in self.figures.items()}
        counts[_PEAK] = self.peak_memory
        counts |= {f"{_SUM}{name}": total - 2**63 for name, total in self.sums}
        for name, traffic in self.stages:
            counts |= {f"{key}{_OF}{name}": count for key, count in traffic.to_counts().items()}
        return counts

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Traffic:
        """Return what `to_counts` has turned into integers.

        Parameters
        ----------
        counts
            Integers by name; what is missing counts as zero.
        """
        own: dict[str, Any] = {}
        sums: dict[str, int] = {}
        stages: dict[str, dict[str, int]] = {}
        for key, count in counts.items():
            name, is_of_stage, stage = key.partition(_OF)
            if key.startswith(_SUM):
                sums[key.removeprefix(_SUM)] = count + 2**63
            elif is_of_stage:
                stages.setdefault(stage, {})[name] = count
            else:
                own[key] = count / 1e6 if key in _TIMES else count
        made = tuple((name, cls.from_counts(part)) for name, part in stages.items())
        return cls(**own, sums=tuple(sums.items()), stages=made)


# Names of the figures that add up, in the order of the fields.
_ADDED = tuple(f.name for f in fields(Traffic))[:-4]
_get_all = operator.attrgetter(*_ADDED)
_TIMES = ("seconds", "cpu_seconds")
_PEAK, _SUM, _OF = "peak_memory", "sum of ", " in stage "


class _Total:
    """Adds up any number of parts, without keeping them."""

    def __init__(self) -> None:
        self._figures: list[int | float] = [0] * len(_ADDED)
        self._peak_memory = 0
        self._sums: dict[str, int] = {}
        self._changes: list[Changes] = []
        self._stages: dict[str, _Total] = {}

    def add(self, part: Traffic) -> None:
        self._figures = list(map(operator.add, self._figures, _get_all(part)))
        self._peak_memory = max(self._peak_memory, part.peak_memory)
        if part.sums:
            self._sums.update(part.sums)
        if part.changes:
            self._changes += part.changes
        for name, traffic in part.stages:
            if name not in self._stages:
                self._stages[name] = _Total()
            self._stages[name].add(traffic)

    def traffic(self) -> Traffic:
        stages = tuple((name, total.traffic()) for name, total in self._stages.items())
        figures: dict[str, Any] = dict(zip(_ADDED, self._figures, strict=True))
        return Traffic(
            peak_memory=self._peak_memory,
            sums=tuple(self._sums.items()),
            changes=tuple(self._changes),
            stages=stages,
            **figures,
        )


def _to_count(value: float) -> int:
    return value if isinstance(value, int) else round(1e6 * value)


def peak_memory() -> int:
    """Return the peak memory of this process since its start, in bytes; 0 if it is unknown."""
    if sys.platform == "win32":
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
