"""Target plans: every array of a target is planned, and what it replaces is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from zarr.storage import StorePath

from rechunker.copying import StoredArray, changed_settings
from rechunker.jobs.array_plan import Parallelism, TempNeededError, plan_job
from rechunker.jobs.group_of_target import is_unfinished
from rechunker.jobs.job import ArrayJob, TempPlace
from rechunker.jobs.roots import cannot_be_replaced
from rechunker.jobs.target_job import TargetJob
from rechunker.sources import Hierarchy
from rechunker.stores import (
    Node,
    find_node,
    holds_claims,
    node_digest,
    side_by_side,
    temp_folder_name,
    without_secrets,
)

__all__ = ["TargetPlanner", "plan_target"]

# Arrays in the way that an error names.
_NAMED = 10


@dataclass(frozen=True)
class TargetPlanner:
    """Plans a target for any executor, also after it was sent to another process.

    Parameters
    ----------
    hierarchy, place, temp, max_mem, into_group
        As for `plan_target`.
    """

    hierarchy: Hierarchy
    place: StorePath
    temp: Mapping[str, TempPlace] | None
    max_mem: int
    into_group: bool

    def __call__(self, parallelism: Parallelism) -> TargetJob:
        """Plan the target for an executor with these numbers."""
        return plan_target(
            self.hierarchy,
            self.place,
            self.temp,
            self.max_mem,
            parallelism,
            into_group=self.into_group,
        )


def plan_target(
    hierarchy: Hierarchy,
    place: StorePath,
    temp: Mapping[str, TempPlace] | None,
    max_mem: int,
    parallelism: Parallelism,
    *,
    into_group: bool,
) -> TargetJob:
    """Plan every array of a target, and find what the target would replace.

    Parameters
    ----------
    hierarchy
        Arrays and groups of the target.
    place
        Where the target goes.
    temp
        Where the temporary objects of each array go, by its name; None if there is no temp store.
    max_mem
        Memory limit per task in bytes.
    parallelism
        Of the executor that will run the plan.
    into_group
        Whether to add the arrays to a group that exists.

    Raises
    ------
    FileExistsError
        If something is at the target and must not be replaced.
    MemoryLimitError, ValueError
        If an array cannot be rechunked within the memory limit, or not without a temp store.
    """
    roots: tuple[str, ...] = ("",)
    if into_group and hierarchy.groups is not None:
        roots = tuple(request.name for request in hierarchy.arrays)
    replaced = dict(_replaced(hierarchy, place, roots))
    total = sum(request.source.nbytes for request in hierarchy.arrays)
    jobs, errors = list[ArrayJob](), list[TempNeededError]()
    for request in hierarchy.arrays:
        stored = StoredArray.of(place / request.name, request.document, request.source.itemsize)
        # The arrays are copied side by side.
        share = parallelism.share(request.source.nbytes, total)
        own = temp[request.name] if temp else None
        try:
            jobs.append(plan_job(request, stored, temp=own, max_mem=max_mem, parallelism=share))
        except TempNeededError as error:
            errors.append(error)
    if errors:
        raise max(errors, key=lambda error: error.needed)  # what is enough for it is for all
    run = uuid4().hex
    # Where no claim keeps two runs of one plan apart, their temporary objects are.
    apart = () if holds_claims(place.store) else (run,)
    nodes = tuple(_with_digests(hierarchy))
    temp_store = next((it.path for it in (temp or {}).values()), None)
    facts = (run, max_mem, parallelism, nodes, temp_store, changed_settings())
    return TargetJob(place, hierarchy, tuple(_in_one_folder(jobs, apart)), replaced, roots, *facts)


def _with_digests(hierarchy: Hierarchy) -> Iterator[tuple[StorePath, str | None]]:
    """Yield the places of the sources, with the digests of their metadata."""
    read = (request.source.reader.stored for request in hierarchy.arrays)
    known = {(id(a.store), a.path): a.digest for a in read if a is not None}
    for origin in hierarchy.origins:
        yield origin, known.get((id(origin.store), origin.path)) or node_digest(origin)


def _in_one_folder(jobs: Sequence[ArrayJob], apart: Iterable[str]) -> Iterator[ArrayJob]:
    """Yield jobs with a folder that all their temporary objects, and no others, lie in."""
    folder = temp_folder_name([*(job.fingerprint for job in jobs), *apart])
    for job in jobs:
        yield job if job.temp is None else replace(job, temp=replace(job.temp, folder=folder))


def _replaced(
    hierarchy: Hierarchy, place: StorePath, roots: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the paths of nodes to replace, with their metadata."""
    found = side_by_side(place.store, lambda root: find_node(place / root), roots)
    there = {root: node for root, node in zip(roots, found, strict=True) if node is not None}
    kept = {root: node for root, node in there.items() if not {"", root} & hierarchy.overwrite}
    if kept and not is_unfinished(place / roots[0]):
        raise FileExistsError(_in_the_way(kept, place))
    for root in (root for root in there if root not in kept):
        if not place.store.supports_deletes:
            raise FileExistsError(cannot_be_replaced(place / root))
        yield root, there[root].metadata


def _in_the_way(nodes: Mapping[str, Node], place: StorePath) -> str:
    """Return what to do about nodes that nobody has said may be replaced."""
    root, node = next(iter(nodes.items()))
    found = f"there is {node} at {without_secrets(place / root)} already"
    if len(nodes) > 1:
        found += f", and so are {len(nodes) - 1} more: {', '.join([*nodes][1:_NAMED])}"
        found += ", ..." * (len(nodes) > _NAMED)
    if "group" in {node.kind for node in nodes.values()}:  # all that is in it would be deleted
        return f"{found}; choose another target_store or name, or move that group away"
    option, what = "target_options={'overwrite': True}", "it"
    if root:
        option = f"'overwrite': True in the target_options of {root!r}"
    if len(nodes) > 1:
        option, what = "target_options={'*': {'overwrite': True}}", "them"
    advice = f"give {option} to have execute() replace {what}"
    return f"{found}; choose another target_store, or {advice}"
