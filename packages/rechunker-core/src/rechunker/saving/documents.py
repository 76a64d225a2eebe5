"""Documents of saved plans: a planned target as JSON has it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zarr.storage import StorePath

from rechunker.copying import StoredArray
from rechunker.jobs import LAYOUT_VERSION, ArrayJob, Parallelism, TargetJob, temp_place
from rechunker.planning import plan_from_json, plan_to_json
from rechunker.sources import ArrayRequest, Hierarchy, source_from_json, source_to_json
from rechunker.stores import OpenedPlaces, SavedPlaces

__all__ = ["FORMAT", "VERSION", "from_document", "to_document"]

FORMAT = "rechunker plan"
# To be raised with every change of the document.
VERSION = 1


def to_document(job: TargetJob) -> dict[str, Any]:
    """Return a planned target as JSON has it.

    Parameters
    ----------
    job
        The planned target.

    Raises
    ------
    ValueError
        If a place or a source cannot be saved.
    """
    places, hierarchy = SavedPlaces(), job.hierarchy
    target = places.save(job.place, "the target")
    return {
        "format": FORMAT,
        "version": VERSION,
        "layout": LAYOUT_VERSION,
        "run": job.run,
        "target": target,
        "max_mem": job.max_mem,
        "parallelism": list(job.parallelism),
        "roots": list(job.roots),
        # As text, byte by byte.
        "replaced": {path: found.decode("latin-1") for path, found in job.replaced.items()},
        "nodes": [[places.save(place, "the source"), digest] for place, digest in job.nodes],
        "zarr_format": hierarchy.zarr_format,
        "groups": hierarchy.groups,
        "overwrite": sorted(hierarchy.overwrite),
        "consolidated": hierarchy.consolidated,
        "arrays": [_array(array, places) for array in job.jobs],
        "stores": places.stores,
    }


def from_document(
    document: Mapping[str, Any], storage_options: Mapping[str, Any] | None
) -> TargetJob:
    """Return the planned target that `to_document` has made JSON of.

    Parameters
    ----------
    document
        What JSON has kept of it, of this `VERSION`.
    storage_options
        Options, such as credentials, that were left out.
    """
    places = OpenedPlaces(document["stores"], storage_options)
    place = places.open(document["target"])
    jobs = tuple(_array_job(saved, place, places) for saved in document["arrays"])
    nodes = tuple((places.open(where), digest) for where, digest in document["nodes"])
    hierarchy = Hierarchy(
        arrays=tuple(job.request for job in jobs),
        groups=document["groups"],
        zarr_format=document["zarr_format"],
        overwrite=frozenset(document["overwrite"]),
        consolidated=document["consolidated"],
        origins=tuple(place for place, _ in nodes),
    )
    replaced = {path: text.encode("latin-1") for path, text in document["replaced"].items()}
    return TargetJob(
        place=place,
        hierarchy=hierarchy,
        jobs=jobs,
        replaced=replaced,
        roots=tuple(document["roots"]),
        run=document["run"],
        max_mem=document["max_mem"],
        parallelism=Parallelism(*document["parallelism"]),
        nodes=nodes,
        temp=next((job.temp.path for job in jobs if job.temp), None),
    )


def _array(job: ArrayJob, places: SavedPlaces) -> dict[str, Any]:
    request, temp = job.request, job.temp
    whose = f"array {job.name!r} of the source" if job.name else "the source"
    return {
        "name": request.name,
        "source": source_to_json(request.source, places, whose),
        "document": request.document,
        "write_empty": request.write_empty,
        "plan": plan_to_json(job.plan),
        "temp": temp
        and {
            "place": places.save(temp.path, "the temp store"),
            "document": temp.document,
            "folder": temp.folder,
        },
        "fingerprint": job.fingerprint,
        "kept": job.kept,
    }


def _array_job(saved: Mapping[str, Any], place: StorePath, places: OpenedPlaces) -> ArrayJob:
    source = source_from_json(saved["source"], places)
    request = ArrayRequest(saved["name"], source, saved["document"], saved["write_empty"])
    target = StoredArray.of(place / request.name, request.document, source.itemsize)
    temp, between = None, saved["temp"]
    if between is not None:
        temp = temp_place(places.open(between["place"]), request, between["document"])
        temp = replace(temp, folder=between["folder"])
    plan, (fingerprint, kept) = plan_from_json(saved["plan"]), (saved["fingerprint"], saved["kept"])
    return ArrayJob(request, target, plan, temp, fingerprint, kept)
