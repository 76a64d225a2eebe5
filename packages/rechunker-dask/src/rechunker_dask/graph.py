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
from rechunker_dask.tasks import Sealed, Settings, run_batch, total

__all__ = ["build", "renew"]

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
    sealed = Sealed(stage)
    for number, tasks in enumerate(batches(stage, overhead=TASK_SECONDS, workers=workers)):
        key = (name, number)
        yield key, Task(key, run_batch, sealed, tasks, *before)


def _label(stage: Stage) -> str:
    """Return a name that dask shows whole: it cuts off what follows a dash."""
    return stage.name.replace("-", "_")


def renew(plan: Delayed, settings: Settings | None = None) -> Delayed:
    """Return a plan with keys that are in no use yet.

    Parameters
    ----------
    plan
        What `build` returned.
    settings
        What is to hold for all tasks, if not what did.
    """
    old, new = _token(plan), uuid4().hex
    graph = plan.dask
    keys = {key: _renamed(key, old, new) for key in graph}
    layers = {
        name.replace(old, new): {
            keys[key]: task.substitute(keys, key=keys[key]) for key, task in layer.items()
        }
        for name, layer in graph.layers.items()
    }
    if settings is not None:
        name = f"{SETTINGS}-{new}"
        layers[name] = {name: DataNode(name, settings)}
    needs = {
        name.replace(old, new): {need.replace(old, new) for need in named}
        for name, named in graph.dependencies.items()
    }
    return _delayed(keys[plan.key], layers, needs)


def _token(plan: Delayed) -> str:
    """Return the part of all names by which a plan differs from others."""
    (name,) = (name for name in plan.dask.layers if name.startswith(f"{SETTINGS}-"))
    return str(name.removeprefix(f"{SETTINGS}-"))


def _renamed(key: Any, old: str, new: str) -> Any:
    return key.replace(old, new) if isinstance(key, str) else (key[0].replace(old, new), *key[1:])
