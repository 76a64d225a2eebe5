"""Bundles: the batches that one Prefect task run works on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rechunker import running
from rechunker.running import Batch
from rechunker.types import Stage

__all__ = ["Bundle", "bundles"]

# Measured overhead of Prefect per task run: 4 ms in this process, the rest in the server.
RUN_SECONDS = 0.02
# Maximum number of task runs for one stage, and for one round; with more than four workers, eight
# task runs for each worker are allowed.
MOST = 32


@dataclass(frozen=True)
class Bundle:
    """The batches that one task run works on, one after another.

    Parameters
    ----------
    batches
        One batch or more. More than one only if a plan has many small arrays.
    """

    batches: tuple[Batch, ...]

    @property
    def seconds(self) -> float:
        """Low estimate of the run time of all batches."""
        return sum(batch.seconds for batch in self.batches)

    @property
    def stage(self) -> str:
        """Name of the first stage."""
        return self.batches[0].stage.name

    @property
    def name(self) -> str:
        """Name of the task run in Prefect's UI, such as ``air: read 0-499``."""
        tasks = self.batches[0].tasks
        last = f"-{tasks[-1]}" if len(tasks) > 1 else ""
        more = f" and {len(self.batches) - 1} more" if len(self.batches) > 1 else ""
        return f"{self.stage} {tasks[0]}{last}{more}"


def bundles(stages: Iterable[Stage], workers: int) -> tuple[Bundle, ...]:
    """Split the tasks of a round into bundles.

    Parameters
    ----------
    stages
        Stages of the round.
    workers
        Number of task runs that are active at a time.

    Returns
    -------
    tuple of Bundle
        At most 32 bundles, or eight for each worker if that is more, for any number of stages.

    Examples
    --------
    >>> stages = [Stage(f"a{i}", 100, lambda _: ()) for i in range(1000)]
    >>> len(bundles(stages[:1], workers=1)), len(bundles(stages, workers=1))
    (8, 32)
    """
    made = running.bundles(
        tuple(stages), overhead=RUN_SECONDS, workers=workers, most=MOST, in_all=MOST
    )
    return tuple(map(Bundle, made))
