"""Facts: what makes a plan the plan it is, as a journal keeps it and an error tells it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from rechunker.copying import StoredArray
from rechunker.jobs.array_plan import Parallelism
from rechunker.jobs.job import LAYOUT_VERSION, ArrayJob
from rechunker.planning import format_grid
from rechunker.sources import Hierarchy
from rechunker.stores import without_secrets

__all__ = ["STORED_KEYS", "facts_of"]

# Fact that is None if it is not known.
STORED_KEYS = "stored chunks of the source"


def facts_of(
    place: object,
    hierarchy: Hierarchy,
    jobs: tuple[ArrayJob, ...],
    max_mem: int,
    parallelism: Parallelism,
) -> Mapping[str, Any]:
    """Return the facts of a plan, as JSON has them; without credentials.

    Parameters
    ----------
    place
        Place of the target.
    hierarchy
        Arrays and groups of the target.
    jobs
        The plans of its arrays.
    max_mem
        Memory limit per task in bytes.
    parallelism
        What the plan was made for. Another machine may have other numbers: it takes these.
    """
    return {
        "layout": LAYOUT_VERSION,
        "target": _shown(place),
        "max_mem": max_mem,
        "workers": parallelism.workers,
        "threads": parallelism.threads,
        "overhead": parallelism.overhead,
        "groups": _digest(hierarchy.groups),
        "arrays": {job.name or "the array": _facts_of_array(job) for job in jobs},
    }


def _facts_of_array(job: ArrayJob) -> dict[str, Any]:
    reader, document, plan = job.request.source.reader, job.request.document, job.plan
    stored = reader.stored
    source = repr(reader) if stored is None else f"{stored.store}/{stored.path}"
    chunks = f"{format_grid(plan.source_chunks)} -> {format_grid(plan.target_chunks)}"
    return {
        "source": _shown(source),
        "shape": list(plan.shape),
        "chunks": chunks,
        "metadata of the source": _digest(reader.identity),
        STORED_KEYS: _stored_keys(stored),
        "metadata of the target": _digest(document),
        "place of temporary objects": None if job.temp is None else _shown(job.temp.path),
        "stages": [format_grid(stage.grid) for stage in plan.stages],
        "fingerprint": job.fingerprint,
    }


def _stored_keys(stored: StoredArray | None) -> str | None:
    keys = None if stored is None else stored.stored_keys
    return None if keys is None else str(keys)


def _digest(fact: object) -> str:
    return hashlib.sha256(json.dumps(fact, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _shown(place: object) -> str:
    """Return the text of a place, short, and without credentials."""
    return without_secrets(place)[:200]
