"""Look up executors by name among the installed packages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from rechunker import hookspecs
from rechunker.types import Executor

__all__ = ["GROUP", "get_executor", "list_executors"]

GROUP = "rechunker.executors"
# Executors of this project, whose packages are named after them.
_OURS = ("beam", "dask", "prefect", "python", "pywren")


def list_executors() -> tuple[str, ...]:
    """Return the sorted names of the installed executors, without importing them.

    Returns
    -------
    tuple of str
        Names in lower case, as `get_executor` and ``rechunk(..., executor=...)`` accept them.

    Examples
    --------
    >>> "python" in list_executors()
    True
    """
    return tuple(sorted(_installed()))


def get_executor(executor: str | Executor[Any] | None = None, **kwargs: Any) -> Executor[Any]:
    """Return a new executor of the given name.

    Parameters
    ----------
    executor
        Name of an installed executor; case does not matter. Only the package that offers it is
        imported. None means ``"dask"`` if rechunker-dask is installed, otherwise ``"python"``. An
        `Executor` instance is returned unchanged.
    **kwargs
        Arguments for the class of the executor.

    Returns
    -------
    Executor
        A new instance, or `executor` itself if that is an instance.

    Raises
    ------
    ValueError
        If no installed package offers an executor of this name, or more than one does.
    TypeError
        If `executor` is neither a name nor an `Executor` instance, if arguments are passed with an
        instance, or if the package does not implement the hook
        `rechunker.hookspecs.rechunker_executors` correctly.

    Examples
    --------
    >>> get_executor("Python", threads=2)
    PythonExecutor(threads=2, retries=0)
    """
    if isinstance(executor, Executor):
        if kwargs:
            raise TypeError(
                f"keyword arguments must go with the name of an executor, got the instance "
                f"{executor!r} and {', '.join(kwargs)}: pass them when creating the instance"
            )
        return executor
    if executor is not None and not isinstance(executor, str):
        raise TypeError(
            f"executor must be a name ({', '.join(list_executors())}) or an instance of "
            f"rechunker.types.Executor, got {executor!r}"
        )
    installed = _installed()
    name = ("dask" if "dask" in installed else "python") if executor is None else executor.lower()
    if name not in installed:
        raise ValueError(_unrecognized(executor or name, installed))
    return _load(name, _only_candidate(name, installed[name]))(**kwargs)


def _installed() -> dict[str, list[EntryPoint]]:
    """Return the entry points of all distributions by lower-case name."""
    installed: dict[str, list[EntryPoint]] = {}
    for entry_point in entry_points(group=GROUP):
        installed.setdefault(entry_point.name.lower(), []).append(entry_point)
    return installed


def _unrecognized(name: str, installed: Mapping[str, object]) -> str:
    names = ", ".join(sorted(installed)) or "none"
    return f"unrecognized executor {name!r}{_advice(name.lower(), installed)} (installed: {names})"


def _advice(name: str, installed: Mapping[str, object]) -> str:
    """Suggest the name of an executor, the package to install, or both."""
    if re.fullmatch(r"[\w-]+", name) is None:
        return ""  # cannot be part of the name of a package
    # By convention a package is named after its executor, so people may write its name instead.
    is_package = re.fullmatch(r"rechunker[-_](.+)", name)
    if is_package is None and name in _OURS:
        return f": {_pip_install(name)}"
    if is_package is None:
        from difflib import get_close_matches  # a name is seldom wrong

        alike = get_close_matches(name, {*installed, *_OURS}, 1)
        return f": did you mean {alike[0]!r}?" if alike else ": install the package that has it"
    executor = "python" if is_package[1] == "core" else is_package[1]
    advice = f": use executor={executor!r}"
    return advice if executor in installed else f"{advice} after {_pip_install(executor)}"


def _pip_install(executor: str) -> str:
    return f"pip install rechunker-{'core' if executor == 'python' else executor}"


def _only_candidate(name: str, candidates: list[EntryPoint]) -> EntryPoint:
    # pluggy would silently keep the first one.
    if len(candidates) > 1:
        owners = " and ".join(sorted(map(_owner, candidates)))
        raise ValueError(f"executor {name!r} is offered by {owners}: uninstall all but one of them")
    return candidates[0]


def _owner(entry_point: EntryPoint) -> str:
    dist = entry_point.dist
    return f"{dist.name} {dist.version}" if dist else f"an unknown package ({entry_point.value})"


def _load(name: str, entry_point: EntryPoint) -> type[Executor[Any]]:
    """Import one plugin, call its hook and check the returned mapping."""
    manager = pluggy.PluginManager("rechunker")
    manager.add_hookspecs(hookspecs)
    manager.register(entry_point.load(), name=name)
    manager.check_pending()
    subject = f"executor {name!r} of {_owner(entry_point)}"
    results = manager.hook.rechunker_executors()
    if not results:
        raise TypeError(f"{subject}: {entry_point.value} does not implement rechunker_executors()")
    (offered,) = results
    if not isinstance(offered, Mapping):
        raise TypeError(f"{subject}: rechunker_executors() must return a mapping, got {offered!r}")
    classes = {str(key).lower(): value for key, value in offered.items()}
    if name not in classes:
        raise TypeError(
            f"{subject}: the mapping that rechunker_executors() returns must have the name "
            f"{name!r}, got {list(offered)}"
        )
    chosen = classes[name]
    if not (isinstance(chosen, type) and issubclass(chosen, Executor)):
        raise TypeError(f"{subject} must be a subclass of rechunker.types.Executor, got {chosen!r}")
    return chosen
