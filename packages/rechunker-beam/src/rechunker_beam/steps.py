"""What the steps of a round do with its elements: batches that wait, and counts of what is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

import apache_beam as beam
from apache_beam.metrics import Metrics

from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic

__all__ = ["NOTHING", "TOTAL", "Batch", "Element", "Finish", "RunStages", "begin"]

Batch = tuple[int, int, int]
"""Number of a stage within its round, and the range of its tasks."""

Element = tuple[int, Batch | Traffic]
"""A batch under a number of its own, or what was done, which always has the same key."""

DONE = -1
NOTHING: Element = DONE, Traffic()
# Of the counters of steps. Where bundles are run again, some runners count that as well.
NAMESPACE = "rechunker"
# Of the counters of the last step, which tells what is in the end.
TOTAL = "rechunker total"


class RunStages(beam.DoFn):  # type: ignore[misc]
    """Runs the batches of some stages of a round, and hands on those of all others.

    Parameters
    ----------
    first
        Number of the first of these stages within the round; the others follow.
    stages
        The stages. They travel with this object, once for each worker, and not with batches.
    runner
        Runs the batches.
    """

    def __init__(self, first: int, stages: Sequence[Stage], runner: BatchRunner) -> None:
        super().__init__()
        self._stages = dict(enumerate(stages, first))
        self._runner = runner
        self._counters = _Counters(NAMESPACE)

    def process(self, element: Element) -> Iterator[Element]:
        _, batch = element
        if isinstance(batch, Traffic) or batch[0] not in self._stages:
            yield element
            return
        number, start, stop = batch
        done = self._runner(self._stages[number], range(start, stop))
        self._counters.add(done)
        yield DONE, done


class Finish(beam.DoFn):  # type: ignore[misc]
    """Sums up all that was done."""

    def __init__(self) -> None:
        super().__init__()
        self._counters = _Counters(TOTAL)

    def process(self, element: tuple[int, Iterable[Traffic]]) -> Iterator[Traffic]:
        _, parts = element
        done = sum(parts, Traffic())
        self._counters.add(done)
        yield done


class _Counters:
    """Shows in Beam what is done.

    Parameters
    ----------
    namespace
        Of the counters; their names are those of the parts of `rechunker.types.Traffic`.
    """

    def __init__(self, namespace: str) -> None:
        names = (field.name for field in fields(Traffic))
        self._counters = {name: Metrics.counter(namespace, name) for name in names}

    def add(self, done: Traffic) -> None:
        for name, counter in self._counters.items():
            counter.inc(getattr(done, name))


def begin(key: int, values: Iterable[Batch | Traffic]) -> Iterator[Element]:
    """Yield what has come together under a key: one batch, or the sum of all that is done."""
    if key == DONE:
        values = [sum((value for value in values if isinstance(value, Traffic)), Traffic())]
    for value in values:
        yield key, value
