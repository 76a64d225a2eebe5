"""The Dask graph of a plan: one Dask task for each batch, and a barrier after each round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.highlevelgraph import Layer as HLGLayer
from dask.task_spec import DataNode, Task, TaskRef

from rechunker.running import BatchRunner, Execution, batches
from rechunker.types import Stage
from rechunker_dask.blocks import HeldBlocks
from rechunker_dask.tasks import Sealed, passed, run_batch, run_with_blocks, total

__all__ = ["build", "keys_of_batches", "renew", "stages_of"]

RUNNER = "rechunk-runner"
BARRIER = "rechunk-barrier"
GATE = "rechunk-gate"

Layer = Mapping[Any, Any]


def build(
    rounds: Sequence[Sequence[Stage]], runner: BatchRunner, workers: int, overhead: float
) -> Delayed:
    """Return a plan as one delayed object whose value is the traffic of all tasks.

    Parameters
    ----------
    rounds
        Rounds in order, each a sequence of stages that may run side by side. A round starts when
        all tasks of the previous round are done.
    runner
        Runs the batches of all stages, and retries failed tasks.
    workers
        Number of batches that are expected to run at a time.
    overhead
        Seconds that Dask takes for one batch.

    Notes
    -----
    Each batch carries its stage, which is small. A round passes nothing to the next round but that
    it is done: its traffic goes from barrier to barrier. If
    Dask loses a worker, it loses the counts of the batches that the worker ran and runs these
    batches again, which is harmless.
    """
    graph = _Graph(runner, workers, overhead)
    for stages in rounds or [()]:
        graph.add(stages)
    return graph.delayed()


class _Graph:
    """Collects the layers of a plan, round by round."""

    def __init__(self, runner: BatchRunner, workers: int, overhead: float) -> None:
        self._token = uuid4().hex
        self._workers = workers
        self._overhead = overhead
        self._rounds = 0
        first = f"{RUNNER}-{self._token}"
        self._layers: dict[str, Layer] = {first: {first: DataNode(first, runner)}}
        self._needs: dict[str, set[str]] = {first: set()}
        self._awaited = [first]  # every task depends on these: the runner and the last gate
        self._barrier: str | None = None

    def add(self, stages: Sequence[Stage]) -> None:
        """Add the tasks of a round, and the barrier that waits for them."""
        place = f"{self._token}-{self._rounds}"
        names = [f"{_label(stage)}-{place}-{i}" for i, stage in enumerate(stages)]
        for name, stage in zip(names, stages, strict=True):
            self._add_stage(name, stage)
        last = [] if self._barrier is None else [self._barrier]
        counted = [*last, *(key for name in names for key in self._layers[name])]
        barrier, gate = f"{BARRIER}-{place}", f"{GATE}-{place}"
        self._layers[barrier] = {barrier: Task(barrier, total, *map(TaskRef, counted))}
        self._needs[barrier] = {*last, *names}
        # What tasks have written to a session may be much, and is not needed by those that follow.
        self._layers[gate] = {gate: Task(gate, passed, TaskRef(barrier))}
        self._needs[gate] = {barrier}
        self._awaited, self._barrier = [self._awaited[0], gate], barrier
        self._rounds += 1

    def _add_stage(self, name: str, stage: Stage) -> None:
        before = [TaskRef(key) for key in self._awaited]
        self._needs[name] = set(self._awaited)
        held = HeldBlocks.of(stage)
        if held is None:
            split = batches(stage, overhead=self._overhead, workers=self._workers)
            self._layers[name] = dict(_calls(name, stage, before, split))
        else:
            self._layers[name] = dict(_with_blocks(name, held, before))
            self._layers.update(held.graph.layers)
            self._needs.update(held.graph.dependencies)
            self._needs[name].add(held.reader.array.name)

    def delayed(self) -> Delayed:
        """Return a delayed object with the value of the last barrier."""
        assert self._barrier is not None  # of the last round; there is one at least
        layers = {name: layer for name, layer in self._layers.items() if name != self._awaited[-1]}
        needs = {name: needs for name, needs in self._needs.items() if name in layers}
        return _delayed(self._barrier, layers, needs)


def _delayed(key: str, layers: Mapping[str, Layer], needs: Mapping[str, set[str]]) -> Delayed:
    made = {
        name: layer if isinstance(layer, HLGLayer) else MaterializedLayer(layer)
        for name, layer in layers.items()
    }
    return Delayed(key, HighLevelGraph(made, needs))


def _calls(
    name: str, stage: Stage, before: Sequence[TaskRef], split: Sequence[range]
) -> Iterator[tuple[Any, Task]]:
    sealed = Sealed(stage)
    for number, tasks in enumerate(split):
        key = (name, number)
        yield key, Task(key, run_batch, sealed, tasks, *before)


def _with_blocks(
    name: str, held: HeldBlocks, before: Sequence[TaskRef]
) -> Iterator[tuple[Any, Task]]:
    """Yield Dask tasks that depend on the blocks they read.

    Dask holds these blocks itself: they do not count towards `max_mem`.
    """
    sealed, (runner, *waits) = Sealed(held.without_array()), before
    for number in range(held.stage.tasks):
        key, blocks = (name, number), held.needs(number)
        refs = [*waits, *map(TaskRef, blocks.values())]
        yield key, Task(key, run_with_blocks, sealed, number, runner, tuple(blocks), *refs)


def _label(stage: Stage) -> str:
    """Return a name without dashes: Dask's dashboard cuts off what follows a dash."""
    return stage.name.replace("-", "_")


def renew(plan: Delayed, execution: Execution | None = None, retries: int | None = None) -> Delayed:
    """Return a copy of a plan with new keys.

    Parameters
    ----------
    plan
        Delayed object that `build` returned.
    execution
        The execution that its batches belong to; None if they belong to none.
    retries
        Number of times to retry a failed task; by default that of the plan.
    """
    old, new = _token(plan), uuid4().hex
    graph = plan.dask
    ours = {name: layer for name, layer in graph.layers.items() if old in name}
    keys = {key: _renamed(key, old, new) for layer in ours.values() for key in layer}
    layers: dict[str, Layer] = dict(graph.layers)
    for name in ours:
        tasks = layers.pop(name).items()
        layers[name.replace(old, new)] = {
            keys[key]: task.substitute(keys, key=keys[key]) for key, task in tasks
        }
    name = f"{RUNNER}-{new}"
    runner = layers[name][name].value
    tries = runner.retries if retries is None else retries
    runner = replace(runner, retries=tries, execution=execution)
    layers[name] = {name: DataNode(name, runner)}
    needs = {
        name.replace(old, new): {need.replace(old, new) for need in named}
        for name, named in graph.dependencies.items()
    }
    return _delayed(keys[plan.key], layers, needs)


def keys_of_batches(plan: Delayed) -> list[Any]:
    """Return the keys of the batches of a plan, whose values are their traffic."""
    return [key for layer in _layers_of_batches(plan) for key in layer]


def stages_of(plan: Delayed) -> list[Stage]:
    """Return the stages of a plan."""
    return [next(iter(layer.values())).args[0].open() for layer in _layers_of_batches(plan)]


def _layers_of_batches(plan: Delayed) -> Iterator[Layer]:
    token, others = _token(plan), (f"{RUNNER}-", f"{BARRIER}-", f"{GATE}-")
    for name, layer in plan.dask.layers.items():
        if token in name and not name.startswith(others) and layer:
            yield layer


def _token(plan: Delayed) -> str:
    """Return the token that the layer names and keys of a plan contain."""
    (name,) = (name for name in plan.dask.layers if name.startswith(f"{RUNNER}-"))
    return str(name.removeprefix(f"{RUNNER}-"))


def _renamed(key: Any, old: str, new: str) -> Any:
    return key.replace(old, new) if isinstance(key, str) else (key[0].replace(old, new), *key[1:])
