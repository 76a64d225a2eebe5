"""The plugin hook with which a package offers executors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pluggy

from rechunker.types import Executor

__all__ = ["hookimpl", "rechunker_executors"]

hookspec = pluggy.HookspecMarker("rechunker")
hookimpl = pluggy.HookimplMarker("rechunker")


@hookspec
def rechunker_executors() -> Mapping[str, type[Executor[Any]]]:
    """Return the executor classes of a plugin by name.

    A plugin is a module that implements this hook, together with an entry point in the group
    ``rechunker.executors`` that points to the module. The name of the entry point is the name of
    the executor, so that requesting one executor does not import the others. A complete plugin::

        # pyproject.toml
        [project.entry-points."rechunker.executors"]
        threads = "rechunker_threads.plugin"

        # rechunker_threads/plugin.py
        from rechunker.hookspecs import hookimpl
        from rechunker_threads.executor import ThreadsExecutor

        @hookimpl
        def rechunker_executors():
            return {"threads": ThreadsExecutor}

    Once the package is installed, ``rechunk(..., executor="threads")`` runs its tasks with a
    ``ThreadsExecutor()``.

    Returns
    -------
    Mapping of str to type
        Executor class by name. Only names with an entry point can be requested.
    """
    raise NotImplementedError("this is only the specification of the hook; plugins implement it")
