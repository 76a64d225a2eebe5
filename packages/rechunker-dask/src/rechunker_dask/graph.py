"""The graph of a plan: a task for each batch, and one between each round and the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.task_spec import DataNode, Task, TaskRef

from rechunker.batching import batches
from rechunker.types import Stage
from rechunker_dask.tasks import Settings, run_batch, total

__all__ = ["build", "with_settings"]

SETTINGS = "rechunk-settings"
BARRIER = "rechunk-barrier"
# What dask.distributed takes over a task, measured; local schedulers take less.
TASK_SECONDS = 0.004

Layer = Mapping[Any, Any]


def build(rounds: Sequence[Sequence[Stage]], settings: Settings, workers: int) -> Delayed:
    """Return a plan as one delayed object, whose value is the traffic of all tasks.

    Parameters
    ----------
    rounds
        Stages that may run side by side; each round waits for the one before.
    settings
        What holds for all tasks.
    workers
        How many batches are expected to run at a time.

    Notes
    -----
    Stages travel with each batch, as they are small, and a round hands the next one nothing but
    counts. A worker that is lost takes with it the counts of batches that it has run; dask runs
    these again, which does no harm.
    """
    token = uuid4().hex
    first = f"{SETTINGS}-{token}"
    layers: dict[str, Layer] = {first: {first: DataNode(first, settings)}}
    needs: dict[str, set[str]] = {first: set()}
    last = first
    for number, stages in enumerate(rounds):
        before = [TaskRef(name) for name in dict.fromkeys([first, last])]
        names = [f"{_label(stage)}-{token}-{number}-{i}" for i, stage in enumerate(stages)]
        for name, stage in zip(names, stages, strict=True):
            layers[name] = dict(_batches(name, stage, before, workers))
            needs[name] = {first, last}
        counted = [TaskRef(key) for name in names for key in layers[name]]
        barrier = f"{BARRIER}-{token}-{number}"
        layers[barrier] = {barrier: Task(barrier, total, *before[1:], *counted)}
        needs[barrier] = {*names, *(ref.key for ref in before[1:])}
        last = barrier
    if last == first:
        layers[token] = {token: Task(token, total)}
        needs[token], last = set(), token
    return _delayed(last, layers, needs)


def _delayed(key: str, layers: Mapping[str, Layer], needs: Mapping[str, set[str]]) -> Delayed:
    graph = HighLevelGraph(
        {name: MaterializedLayer(layer) for name, layer in layers.items()}, needs
    )
    return Delayed(key, graph)


def _batches(
    name: str, stage: Stage, before: Sequence[TaskRef], workers: int
) -> Iterator[tuple[Any, Task]]:
    for number, tasks in enumerate(batches(stage, overhead=TASK_SECONDS, workers=workers)):
        key = (name, number)
        yield key, Task(key, run_batch, stage, tasks, *before)


def _label(stage: Stage) -> str:
    """Return a name that dask shows whole: it cuts off what follows a dash."""
    return stage.name.replace("-", "_")


def with_settings(plan: Delayed, settings: Settings) -> Delayed:
    """Return a plan with other settings.

    Parameters
    ----------
    plan
        What `build` returned.
    settings
        What is to hold for all tasks.
    """
    graph = plan.dask
    (name,) = (name for name in graph.layers if name.startswith(f"{SETTINGS}-"))
    layers = {**graph.layers, name: MaterializedLayer({name: DataNode(name, settings)})}
    return Delayed(plan.key, HighLevelGraph(layers, graph.dependencies))
