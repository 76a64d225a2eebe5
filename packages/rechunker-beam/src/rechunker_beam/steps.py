"""Functions of the Beam steps: they run batches and add up the traffic of the tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import apache_beam as beam
from apache_beam.metrics import Metrics

from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic
from rechunker_beam.progress import tell

__all__ = [
    "NAMESPACE",
    "NOTHING",
    "TOTAL",
    "Batch",
    "Element",
    "Finish",
    "RunStages",
    "begin",
    "nothing",
]

Batch = tuple[int, int, int]
"""Index of a stage within its round, and the first task and the one after the last."""

Element = tuple[int, Batch | Traffic]
"""A key and a value: a batch under a key of its own, or traffic under the key `DONE`."""

DONE = -1
NOTHING: Element = DONE, Traffic()
# Namespace of the counters of each step. Some runners also count bundles that they run again.
NAMESPACE = "rechunker"
# Namespace of the counters of the last step: the traffic of the whole plan, counted once.
TOTAL = "rechunker total"


class RunStages(beam.DoFn):  # type: ignore[misc]
    """Run the batches of some stages of a round, and pass on all other elements.

    Parameters
    ----------
    first
        Index of the first of these stages within the round.
    stages
        Consecutive stages of the round. Beam sends them to each worker once, with this object, and
        not with every batch.
    runner
        Runs the batches, and retries failed tasks.
    """

    def __init__(self, first: int, stages: Sequence[Stage], runner: BatchRunner) -> None:
        super().__init__()
        self._stages = dict(enumerate(stages, first))
        self._runner = runner

    def process(self, element: Element) -> Iterator[Element]:
        _, batch = element
        if isinstance(batch, Traffic) or batch[0] not in self._stages:
            yield element
            return
        number, start, stop = batch
        done = self._runner(self._stages[number], range(start, stop))
        # What does not add up is not counted, nor what the step says by its name.
        _count(NAMESPACE, replace(done, peak_memory=0, sums=(), stages=()).to_counts())
        tell(self._runner.execution, self._stages[number].name, start, done)
        yield DONE, done


class Finish(beam.DoFn):  # type: ignore[misc]
    """Add up the traffic of all tasks."""

    def process(self, element: tuple[int, Iterable[Traffic]]) -> Iterator[Traffic]:
        _, parts = element
        done = Traffic.total(parts)
        _count(TOTAL, done.to_counts())
        yield done


def _count(namespace: str, counts: Mapping[str, int]) -> None:
    """Add to the Beam counters of a namespace."""
    for name, count in counts.items():
        Metrics.counter(namespace, name).inc(count)


def nothing(element: object) -> Iterator[Element]:
    """Yield nothing, whatever the element of a step before is."""
    yield from ()


def begin(key: int, values: Iterable[Batch | Traffic]) -> Iterator[Element]:
    """Yield the elements of one group: a batch, or the sum of all traffic under the key `DONE`.

    Parameters
    ----------
    key
        Key of the group.
    values
        All values of the group.
    """
    if key == DONE:
        values = [Traffic.total(value for value in values if isinstance(value, Traffic))]
    for value in values:
        yield key, value
