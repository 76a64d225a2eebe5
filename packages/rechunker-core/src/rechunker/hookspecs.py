"""The one hook by which a package offers executors."""

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
    """Return the executors of a plugin, by name.

    A plugin is a module that implements this hook, and an entry point that names the module. The
    entry point has the name of the executor, so that asking for one imports no other. A whole
    plugin is::

        # pyproject.toml
        [project.entry-points."rechunker.executors"]
        threads = "rechunker_threads.plugin"

        # rechunker_threads/plugin.py
        from rechunker.hookspecs import hookimpl
        from rechunker_threads.executor import ThreadsExecutor

        @hookimpl
        def rechunker_executors():
            return {"threads": ThreadsExecutor}

    With that package installed, ``rechunk(..., executor="threads")`` makes a ``ThreadsExecutor()``.

    Returns
    -------
    Mapping
        Class of each executor by its name. A name for which the package has no entry point is
        never asked for.
    """
    raise NotImplementedError("a declaration: plugins implement it")
