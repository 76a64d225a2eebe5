"""Progress: a bar, or a function of the user's, that follows a plan while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from rechunker.types import Traffic

__all__ = ["Progress", "Reporter", "reporter"]

Progress: TypeAlias = bool | Callable[[int, int, int], object] | None
"""True for a progress bar, or a function that is called with the number of tasks done, the number
of all tasks, and the (decoded) bytes read and written so far."""


class Counted(Protocol):
    """What is known of tasks of a stage before they run: a stage has it, and so has a `Batch`."""

    @property
    def name(self) -> str: ...
    @property
    def nbytes(self) -> float: ...
    def __len__(self) -> int: ...


class Reporter:
    """Adds up the traffic of tasks that are done, and shows how far the plan is.

    Executors get it from `reporter`, and call it in the process of the user, in one thread at a
    time, with the traffic of each batch that is done, each batch once. What it raises is an error
    of the user's function, or Ctrl-C: the plan ends with it.

    Parameters
    ----------
    stages
        All stages of the plan, or their batches. Those without bytes do not count: they start and
        finish a plan.
    show
        Shows the number of tasks done, the number of all tasks, the bytes read and written, and the
        bytes that an earlier run had read and written; None if nobody wants to see it.
    """

    def __init__(
        self, stages: Sequence[Counted], show: Callable[[int, int, int, int], object] | None
    ) -> None:
        counted = [stage for stage in stages if stage.nbytes]
        self._tasks = sum(len(stage) for stage in counted)
        self._each = {stage.name: stage.nbytes / len(stage) for stage in counted}
        self._show = show
        self._added = self._done = self._nbytes = self._skipped = 0
        self._shown = 0

    @property
    def wanted(self) -> bool:
        """Whether anybody wants to see the progress; without, an executor need not count it."""
        return self._show is not None

    def __call__(self, traffic: Traffic) -> None:
        """Add the traffic of tasks that are done.

        Parameters
        ----------
        traffic
            Traffic of one task or of several.
        """
        of_stages = traffic.stages or (("", traffic),)
        for name, part in of_stages:
            if name in self._each or not traffic.stages:
                self._skipped += round(self._each.get(name, 0) * part.known)
                self._added += part.tasks + part.known
        self.reach(self._added, self._nbytes + traffic.bytes_read + traffic.bytes_written)

    def reach(self, tasks: int, nbytes: int) -> None:
        """Say how much is done in all, as engines count it; what is less than before is ignored.

        Parameters
        ----------
        tasks
            Number of tasks that are done or known.
        nbytes
            Decoded bytes that were read and written.
        """
        self._done = max(self._done, min(tasks, self._tasks))
        self._nbytes = max(self._nbytes, nbytes)
        if self._show is not None and self._shown < self._done:
            self._shown = self._done
            show, self._show = self._show, None  # it is not called again after an error
            show(self._done, self._tasks, self._nbytes, self._skipped)
            self._show = show

    def finish(self) -> None:
        """Show that all tasks are done, unless that was shown."""
        self.reach(self._tasks, self._nbytes)
        if self._show is not None and not self._tasks:
            self._show(0, 0, self._nbytes, 0)


@contextmanager
def reporter(progress: Progress, rounds: Sequence[Sequence[Counted]]) -> Iterator[Reporter]:
    """Yield what shows the progress of a plan, to be called with the traffic of each batch.

    When the context ends without an error, all tasks are shown as done.

    Parameters
    ----------
    progress
        What the user wants to see: the argument `progress` of `execute`.
    rounds
        All stages of the plan, or their batches, round by round.

    Raises
    ------
    ImportError
        If `progress` is True and tqdm is not installed.
    TypeError
        If `progress` is something else than a boolean, a function or None.

    Examples
    --------
    >>> from rechunker.types import Stage
    >>> work = lambda tasks: (Traffic(tasks=1, bytes_read=4) for _ in tasks)
    >>> stage = Stage("a", 2, work, nbytes=8)
    >>> with reporter(lambda *state: print(state), [[stage]]) as report:
    ...     report(stage(0))
    ...     report(stage(1))
    (1, 2, 4)
    (2, 2, 8)
    """
    stages = [stage for together in rounds for stage in together]
    if progress is None or progress is False:
        yield Reporter(stages, None)
    elif progress is True:
        nbytes = round(sum(stage.nbytes for stage in stages))
        with _bar(nbytes) as bar:
            report = Reporter(stages, _Shown(bar))
            yield report
            report.finish()
            bar.update(nbytes - bar.n)  # what was predicted and not needed
    elif callable(progress):
        report = Reporter(stages, lambda *state: progress(*state[:3]))
        yield report
        report.finish()
    else:
        raise TypeError(f"progress must be True, False or a function, got {progress!r}")


class _Shown:
    """Moves a bar of tqdm."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __call__(self, done: int, total: int, nbytes: int, skipped: int) -> None:
        self._bar.update(min(self._bar.total, nbytes + skipped) - self._bar.n)


def _bar(nbytes: int):  # type: ignore[no-untyped-def]
    try:
        from tqdm.auto import tqdm  # an optional dependency
    except ImportError as error:
        if error.name != "tqdm":
            raise
        raise ImportError(
            "progress=True needs tqdm: pip install rechunker-core[progress]", name="tqdm"
        ) from error
    return tqdm(total=nbytes, unit="B", unit_scale=True, unit_divisor=1000, desc="rechunk")
