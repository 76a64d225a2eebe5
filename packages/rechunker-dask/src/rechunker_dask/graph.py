"""The Dask graph of a plan: Dask tasks that run batches, and a barrier after each round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any
from uuid import uuid4

from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.highlevelgraph import Layer as HLGLayer
from dask.task_spec import DataNode, Task, TaskRef

from rechunker.running import Batch, BatchRunner, Execution, bundles
from rechunker.types import Stage
from rechunker_dask.blocks import HeldBlocks
from rechunker_dask.tasks import Sealed, passed, run_batches, run_with_blocks, total

__all__ = ["batches_of", "build", "keys_of_calls", "renew"]

RUNNER = "rechunk-runner"
BARRIER = "rechunk-barrier"
GATE = "rechunk-gate"

Layer = Mapping[Any, Any]
Bundle = tuple[Batch, ...]


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
    Each Dask task carries its stages, which are small: one stage, or several of small arrays that
    are not worth a Dask task each. A round passes nothing to the next round but that it is done:
    its traffic goes from barrier to barrier. If Dask loses a worker, it loses the counts of the
    batches that the worker ran and runs these batches again, which is harmless.
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
        place, names = f"{self._token}-{self._rounds}", list[str]()
        before = [TaskRef(key) for key in self._awaited]
        held = [HeldBlocks.of(stage) for stage in stages]
        rest = [stage for stage, blocks in zip(stages, held, strict=True) if blocks is None]
        split = bundles(rest, overhead=self._overhead, workers=self._workers)
        for label, calls in _by_layer(split):
            names.append(f"{label}-{place}-{len(names)}")
            self._add_layer(names[-1], _calls(names[-1], calls, before))
        for blocks in filter(None, held):
            names.append(f"{_label(blocks.stage)}-{place}-{len(names)}")
            self._add_layer(names[-1], _with_blocks(names[-1], blocks, before))
            self._add_graph(names[-1], blocks)
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

    def _add_layer(self, name: str, layer: Iterable[tuple[Any, Task]]) -> None:
        self._layers[name] = dict(layer)
        self._needs[name] = set(self._awaited)

    def _add_graph(self, name: str, held: HeldBlocks) -> None:
        """Add the graph that computes the blocks which a layer reads."""
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


def _by_layer(split: Sequence[Bundle]) -> Iterator[tuple[str, list[Bundle]]]:
    """Yield label and calls of each layer: one layer per stage, and one for calls of several.

    Dask's dashboard shows one bar for each label.
    """
    joined = [bundle for bundle in split if len(bundle) > 1]
    alone = (bundle for bundle in split if len(bundle) == 1)
    for _, calls in groupby(alone, key=lambda bundle: id(bundle[0].stage)):
        layer: list[Bundle] = list(calls)
        yield _label(layer[0][0].stage), layer
    if joined:
        others = len({id(batch.stage) for bundle in joined for batch in bundle}) - 1
        yield f"{_label(joined[0][0].stage)} and {others} more", joined


def _calls(
    name: str, split: Sequence[Bundle], before: Sequence[TaskRef]
) -> Iterator[tuple[Any, Task]]:
    known: dict[tuple[int, ...], Sealed] = {}
    for number, bundle in enumerate(split):
        key, stages = (name, number), tuple(batch.stage for batch in bundle)
        sealed = known.setdefault(tuple(map(id, stages)), Sealed(stages))
        yield key, Task(key, run_batches, sealed, tuple(batch.tasks for batch in bundle), *before)


def _with_blocks(
    name: str, held: HeldBlocks, before: Sequence[TaskRef]
) -> Iterator[tuple[Any, Task]]:
    """Yield Dask tasks that depend on the blocks they read.

    Dask holds these blocks itself: they do not count towards `max_mem`.
    """
    sealed, (runner, *waits) = Sealed((held.without_array(),)), before
    for number in range(held.stage.tasks):
        key, blocks = (name, number), held.needs(number)
        refs = [*waits, *map(TaskRef, blocks.values())]
        ranges = (range(number, number + 1),)
        yield key, Task(key, run_with_blocks, sealed, ranges, runner, tuple(blocks), *refs)


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


def keys_of_calls(plan: Delayed) -> list[Any]:
    """Return the keys of the Dask tasks that run batches; their values are the traffic of these."""
    return [key for layer in _layers_of_calls(plan) for key in layer]


def batches_of(plan: Delayed) -> list[Batch]:
    """Return the batches of a plan."""
    opened: dict[int, tuple[Stage, ...]] = {}
    found: list[Batch] = []
    for task in (task for layer in _layers_of_calls(plan) for task in layer.values()):
        sealed, ranges = task.args[:2]
        if id(sealed) not in opened:
            opened[id(sealed)] = sealed.open()
        found += map(Batch, opened[id(sealed)], ranges)
    return found


def _layers_of_calls(plan: Delayed) -> Iterator[Layer]:
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
