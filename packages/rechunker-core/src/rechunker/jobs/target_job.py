"""Target jobs: all arrays of a target, what it replaces, and what is written last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import zarr
from zarr.storage import StorePath

from rechunker.copying import StoredArray
from rechunker.jobs.apart import Apart
from rechunker.jobs.array_plan import plan_job
from rechunker.jobs.job import ArrayJob, TempPlace
from rechunker.jobs.publishing import Finish, Root, Sources, Start
from rechunker.metadata import array_from_document, group_files, metadata_files, quiet
from rechunker.sources import Hierarchy
from rechunker.stores import Claim, digest_of, find_node, node_digest, outermost, read_member
from rechunker.types import CopySpec, Executor, Stage

__all__ = ["TargetJob", "plan_target"]


@dataclass(frozen=True)
class TargetJob:
    """A planned target.

    Parameters
    ----------
    place
        Where the target goes.
    hierarchy
        Arrays and groups of the target.
    jobs
        One job per array.
    replaced
        Metadata of the arrays and groups that the target replaces, by their paths in the target.
    roots
        Paths of the arrays and groups that are cleared and claimed as a whole.
    run
        Random id of the plan.
    """

    place: StorePath
    hierarchy: Hierarchy
    jobs: tuple[ArrayJob, ...]
    replaced: Mapping[str, bytes]
    roots: tuple[str, ...]
    run: str

    def specs(self) -> Iterator[CopySpec]:
        """Yield one copy spec per array, and last the one that starts and finishes the whole."""
        documents = tuple(self._documents())
        roots = tuple(self._roots(dict(documents)))
        sources = self._sources()
        nothing = Stage("nothing", 0, Start((), Sources()))
        longest = 0
        for job in self.jobs:
            spec = job.spec(self.claim(self._root_of(job.name)))
            longest = max(longest, len(spec.stages))
            yield replace(spec, stages=(nothing, *spec.stages))
        start = Stage("start", 1, Start(roots, sources, self._apart()))
        finish = Stage("finish", 1, self._finish(roots, sources, documents))
        yield CopySpec("", (start, *[nothing] * longest, finish))

    def _root_of(self, name: str) -> str:
        return name if name in self.roots else ""

    def claim(self, root: str) -> Claim | None:
        """Return the claim of this run on a root; None if the store could not delete it again."""
        place = self.place / root
        return Claim(place.store, place.path, self.run) if place.store.supports_deletes else None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Claim the target for this process within a context."""
        with ExitStack() as stack:
            for root in self.roots:
                claim = self.claim(root)
                if claim is not None:
                    stack.enter_context(claim.held(overwrite=self._may_replace(root)))
            yield

    def _may_replace(self, root: str) -> bool:
        return bool({"", root} & self.hierarchy.overwrite)

    def _roots(self, documents: Mapping[str, bytes]) -> Iterator[Root]:
        for root in self.roots:
            place = self.place / root
            names = ("zarr.json", ".zarray", ".zgroup")
            (metadata,) = (documents[k] for n in names if (k := (place / n).path) in documents)
            yield Root(
                place=place,
                arrays=tuple(
                    self.place / job.name for job in self.jobs if self._root_of(job.name) == root
                ),
                planned=self.replaced.get(root),
                digest=digest_of(metadata),
                overwrite=self._may_replace(root),
                claim=self.claim(root),
            )

    def _apart(self) -> Apart:
        """Return the check that sources, target and temp place are different places."""
        read = [job.request.source.reader.stored for job in self.jobs]
        there = {digest_of(metadata) for metadata in self.replaced.values()}
        alike = [StorePath(a.store, a.path) for a in read if a is not None and a.digest in there]
        temp = next(self._temp_folders(), None)
        return Apart(self.run, self.place, outermost(self.hierarchy.origins), tuple(alike), temp)

    def _finish(
        self, roots: tuple[Root, ...], sources: Sources, documents: tuple[tuple[str, bytes], ...]
    ) -> Finish:
        temp = [(folder.store, folder.path) for _, folder in self._temp_folders()]
        return Finish(
            self.place.store,
            roots,
            sources,
            documents,
            tuple(self._consolidated()),
            tuple(temp),
        )

    def _temp_folders(self) -> Iterator[tuple[StorePath, StorePath]]:
        """Yield the temp places of the arrays, each with the folder that its array alone uses."""
        for job in self.jobs:
            if job.temp is not None:
                yield job.temp.path, job.temp_folder

    def _sources(self) -> Sources:
        readers = (job.request.source.reader for job in self.jobs)
        return Sources(
            nodes=tuple((place, node_digest(place)) for place in self.hierarchy.origins),
            arrays=tuple(reader.stored for reader in readers if reader.stored is not None),
        )

    def _documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield keys and contents of all metadata, children before parents."""
        for job in self.jobs:
            yield from _keys(self.place / job.name, metadata_files(job.request.document))
        groups, zarr_format = self.hierarchy.groups or {}, self.hierarchy.zarr_format
        for path in sorted(groups, key=lambda path: path.count("/") + bool(path), reverse=True):
            yield from _keys(self.place / path, self._group_files(self.place / path, groups[path]))
        for parent in _parents(self.place):
            if find_node(parent) is None:
                files = group_files({"zarr_format": zarr_format, "attributes": {}}, zarr_format)
                yield from _keys(parent, files)

    def _group_files(self, place: StorePath, document: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the metadata of a group; a group that stays keeps its own metadata as well."""
        zarr_format = self.hierarchy.zarr_format
        there = None if self._is_replaced(place) else read_member(place, zarr_format)
        if there is not None and there.kind == "group":
            own = there.document
            attributes = {**own["attributes"], **document["attributes"]}
            ours = document if document["zarr_format"] == zarr_format else {}
            document = {**own, **ours, "attributes": attributes}
        return group_files(document, zarr_format)

    def _is_replaced(self, place: StorePath) -> bool:
        return place in [self.place / root for root in self.replaced]

    def _consolidated(self) -> Iterator[str]:
        """Yield the paths of groups whose consolidated metadata must be written or updated."""
        there = [] if self._is_replaced(self.place) else [self.place]
        if self.hierarchy.consolidated:
            yield self.place.path
            there = []
        for place in (*there, *_parents(self.place)):
            if _is_group(place):
                group = zarr.open_group(place, mode="r")
                if group.metadata.consolidated_metadata is not None:
                    yield place.path

    def target(self) -> zarr.Array[Any] | zarr.Group:
        """Return a handle of the target, which need not exist yet."""
        if self.hierarchy.groups is None:
            return array_from_document(self.jobs[0].request.document, self.place)
        document: dict[str, Any] = {"zarr_format": self.hierarchy.zarr_format}
        if self.hierarchy.zarr_format == 3:
            document["node_type"] = "group"
        document["attributes"] = dict(self.hierarchy.groups[""]["attributes"])
        return zarr.Group(zarr.AsyncGroup.from_dict(self.place, document))

    def open(self) -> zarr.Array[Any] | zarr.Group:
        """Open the target, which must exist."""
        with quiet():
            if self.hierarchy.groups is None:
                return zarr.open_array(self.place, mode="r+")
            return zarr.open_group(self.place, mode="r+", use_consolidated=False)


def _is_group(place: StorePath) -> bool:
    node = find_node(place)
    return node is not None and node.kind == "group"


def _keys(place: StorePath, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield metadata with their full keys; last the object that makes the place a node."""
    for name in sorted(files, reverse=True):
        yield (place / name).path, files[name]


def _parents(place: StorePath) -> list[StorePath]:
    """Return the places of all groups around a node, the innermost first."""
    parts = [part for part in place.path.split("/") if part]
    return [StorePath(place.store, "/".join(parts[:n])) for n in reversed(range(len(parts)))]


def plan_target(
    hierarchy: Hierarchy,
    place: StorePath,
    temp: Mapping[str, TempPlace] | None,
    max_mem: int,
    executor: Executor[Any],
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
    executor
        What will run the plan.
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
    jobs = tuple(
        plan_job(
            request,
            StoredArray.of(place / request.name, request.document, request.source.itemsize),
            temp=temp[request.name] if temp else None,
            max_mem=max_mem,
            executor=executor,
        )
        for request in hierarchy.arrays
    )
    return TargetJob(place, hierarchy, jobs, replaced, roots, uuid4().hex)


def _replaced(
    hierarchy: Hierarchy, place: StorePath, roots: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the paths of nodes to replace, with their metadata."""
    for root in roots:
        there = place / root
        node = find_node(there)
        if node is None:
            continue
        if not {"", root} & hierarchy.overwrite:
            raise FileExistsError(
                f"there is {node} at {there} already; choose another target_store, or give "
                "target_options={'overwrite': True} to have execute() replace it"
            )
        yield root, node.metadata
