"""Files of saved plans: written once, as a whole, and read by every process that runs tasks."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from rechunker.jobs import LAYOUT_VERSION, TargetJob
from rechunker.saving.documents import FORMAT, VERSION, from_document, to_document
from rechunker.saving.plan import SavedPlan
from rechunker.stores import SAVED, secrets_hidden, without_secrets

__all__ = ["load", "save"]


def save(job: TargetJob, path: str | os.PathLike[str], *, verify: bool) -> Path:
    """Save a planned target; see `rechunker.Rechunked.save`.

    Parameters
    ----------
    job
        The planned target.
    path
        File to write, which must not exist.
    verify
        Whether to publish only what is proven to be equal to the source.

    Returns
    -------
    pathlib.Path
        The file.
    """
    file = _path(path)
    if file.exists():
        raise FileExistsError(
            f"there is {file} already, and a run may need it; delete it if none does, or choose "
            "another path"
        )
    if job.journal is None or not job.place.store.supports_listing:
        raise ValueError(
            f"a saved plan keeps what is done in its target, and {without_secrets(job.place)} "
            "cannot list and delete objects; choose another target_store"
        )
    job = replace(job, run=f"{SAVED}{uuid4().hex}")
    document = {"made by": f"rechunker-core {version('rechunker-core')}", **to_document(job)}
    text = json.dumps({**document, "verify": verify})
    partial = file.with_name(f"{file.name}.{uuid4().hex}.partial")
    try:
        partial.write_text(text, "utf-8")
        _put_in_place(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def load(
    path: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> SavedPlan:
    """Open a plan that `rechunker.Rechunked.save` has saved; nothing is written.

    Parameters
    ----------
    path
        The file.
    storage_options
        Options, such as credentials, of places that are URLs. The file holds none; by default they
        come from the environment.

    Returns
    -------
    SavedPlan
        The plan, whose tasks can be run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no plan, or that of another version of Rechunker.
    """
    file = _path(path)
    try:
        document = json.loads(file.read_text("utf-8"))
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{file} is not a plan that Rechunked.save() has saved, or not all of one")
    _check_version(document, file)
    with secrets_hidden():
        return SavedPlan(from_document(document, storage_options), verify=document["verify"])


def _check_version(document: Mapping[str, Any], file: Path) -> None:
    known, found = ((VERSION, LAYOUT_VERSION), (document.get("version"), document.get("layout")))
    if found != known:
        raise ValueError(
            f"{file} is a plan of version {found[0]}.{found[1]}, made by "
            f"{document.get('made by')}, and this is rechunker-core {version('rechunker-core')}, "
            f"which knows version {known[0]}.{known[1]}; use the version of Rechunker that made "
            "it, or call rechunk() and save() again"
        )


def _put_in_place(partial: Path, file: Path) -> None:
    try:
        os.link(partial, file)  # fails if somebody else was faster
    except FileExistsError:
        raise FileExistsError(f"there is {file} already; choose another path") from None
    except OSError:  # a filesystem without links
        partial.rename(file)


def _path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be that of a file, got {path!r}")
    if "://" in os.fspath(path):
        raise ValueError(f"{without_secrets(path)} is a URL; a plan is saved in a file on disk")
    return Path(path).absolute()
