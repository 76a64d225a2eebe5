"""Putting a target together: where its parts go, what is checked before, what is written last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import zarr
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore, StorePath

from rechunker.copying import StoredArray
from rechunker.jobs.array_plan import plan_job
from rechunker.jobs.job import ArrayJob, TempPlace, temp_folder
from rechunker.jobs.publishing import Finish, Start, node_metadata
from rechunker.metadata import array_from_document, metadata_files, quiet
from rechunker.sources import Hierarchy
from rechunker.stores.resolve import node_kind
from rechunker.types import CopySpec, Executor, Stage

__all__ = ["Assembly", "assemble"]


@dataclass(frozen=True)
class Assembly:
    """A target, planned.

    Parameters
    ----------
    place
        Where it will be.
    hierarchy
        What it consists of.
    jobs
        Its arrays.
    replaced
        What is there now and goes, with its metadata.
    """

    place: StorePath
    hierarchy: Hierarchy
    jobs: tuple[ArrayJob, ...]
    replaced: tuple[tuple[StorePath, bytes], ...]

    def specs(self) -> Iterator[CopySpec]:
        """Yield one copy spec per array, and last the one that starts and finishes the whole."""
        start = Stage("start", 1 if self.replaced else 0, Start(self.replaced))
        nothing = Stage("nothing", 0, Start(()))
        longest = 0
        for job in self.jobs:
            spec = job.spec
            longest = max(longest, len(spec.stages))
            yield replace(spec, stages=(nothing, *spec.stages))
        finish = Stage("finish", 1, self._finish())
        yield CopySpec("", (start, *[nothing] * longest, finish))

    def _finish(self) -> Finish:
        temp = [
            (job.temp.path.store, temp_folder(job.temp.path, job.fingerprint))
            for job in self.jobs
            if job.temp is not None
        ]
        return Finish(
            self.place.store,
            tuple(self._documents()),
            tuple(self._consolidated()),
            tuple(temp),
        )

    def _documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield all metadata, those of children before their parents'."""
        for job in self.jobs:
            place = self.place / job.name
            yield from _keys(place, metadata_files(place, job.document))
        groups = self.hierarchy.groups or {}
        for path in sorted(groups, key=lambda path: path.count("/") + bool(path), reverse=True):
            yield from _keys(self.place / path, self._group_files(self.place / path, groups[path]))
        for parent in _ancestors(self.place):
            if node_kind(parent) is None:
                yield from _keys(parent, self._group_files(parent, {}))

    def _group_files(self, place: StorePath, attributes: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the metadata of a group; one that stays keeps its own attributes, too."""
        kept: dict[str, Any] = {}
        if node_kind(place) == "group" and place not in [there for there, _ in self.replaced]:
            kept = zarr.open_group(place, mode="r", use_consolidated=False).attrs.asdict()
        objects: dict[str, Buffer] = {}
        zarr.create_group(
            MemoryStore(objects),
            attributes={**kept, **attributes},
            zarr_format=self.hierarchy.zarr_format,
        )
        return {key: value.to_bytes() for key, value in objects.items()}

    def _consolidated(self) -> Iterator[str]:
        """Yield the groups whose consolidated metadata are to be made, or to be made anew."""
        if self.hierarchy.consolidated:
            yield self.place.path
        for parent in _ancestors(self.place):
            if node_kind(parent) == "group":
                group = zarr.open_group(parent, mode="r")
                if group.metadata.consolidated_metadata is not None:
                    yield parent.path

    def target(self) -> zarr.Array[Any] | zarr.Group:
        """Return the target as it will be."""
        if self.hierarchy.groups is None:
            return array_from_document(self.place, self.jobs[0].document)
        document: dict[str, Any] = {"zarr_format": self.hierarchy.zarr_format}
        if self.hierarchy.zarr_format == 3:
            document["node_type"] = "group"
        attributes = dict(self.hierarchy.groups[""])
        document["attributes"] = attributes
        return zarr.Group(zarr.AsyncGroup.from_dict(self.place, document))

    def open(self) -> zarr.Array[Any] | zarr.Group:
        """Return the target as it is in the store."""
        with quiet():
            if self.hierarchy.groups is None:
                return zarr.open_array(self.place, mode="r+")
            return zarr.open_group(self.place, mode="r+", use_consolidated=False)


def _keys(place: StorePath, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield metadata with their full keys, that which makes a node of it last."""
    for name in sorted(files, reverse=True):
        yield (place / name).path, files[name]


def _ancestors(place: StorePath) -> list[StorePath]:
    """Return the places of the groups that hold a node, the innermost first."""
    parts = [part for part in place.path.split("/") if part]
    return [StorePath(place.store, "/".join(parts[:n])) for n in reversed(range(len(parts)))]


def assemble(
    hierarchy: Hierarchy,
    place: StorePath,
    temp: Mapping[str, TempPlace] | None,
    max_mem: int,
    executor: Executor[Any],
    *,
    into_group: bool,
) -> Assembly:
    """Plan every array of a target, and find out what it would replace.

    Parameters
    ----------
    hierarchy
        What the target consists of.
    place
        Where it goes.
    temp
        By name of the array, where temporary objects go; None if there is no such place.
    max_mem
        Bytes that a task may hold.
    executor
        What will run the plan.
    into_group
        Whether the place is a group, to which the arrays are added.

    Raises
    ------
    FileExistsError
        If something is there that must not be replaced.
    ValueError
        If an array cannot be rechunked within the memory.
    """
    replaced = tuple(_replaced(hierarchy, place, into_group))
    jobs = tuple(
        plan_job(
            request.name,
            request.source,
            StoredArray.of(place / request.name, request.document, request.source.itemsize),
            request.document,
            write_empty=request.write_empty,
            temp=temp[request.name] if temp else None,
            max_mem=max_mem,
            executor=executor,
        )
        for request in hierarchy.arrays
    )
    return Assembly(place, hierarchy, jobs, replaced)


def _replaced(
    hierarchy: Hierarchy, place: StorePath, into_group: bool
) -> Iterator[tuple[StorePath, bytes]]:
    """Yield the nodes that are in the way and may go."""
    if hierarchy.groups is None or not into_group:
        names: Sequence[str] = [""]
    else:
        names = [request.name for request in hierarchy.arrays]
    for name in names:
        there = place / name
        metadata = node_metadata(there) if node_kind(there) else None
        if metadata is None:
            continue
        if not {"", name} & hierarchy.overwrite:
            raise FileExistsError(
                f"there is {_article(node_kind(there))} at {there} already; give another "
                "target_store, or target_options={'overwrite': True} to have it replaced when "
                "execute() is called"
            )
        yield there, metadata


def _article(kind: str | None) -> str:
    return "an array" if kind == "array" else "a group"
