"""Executors by name, from the packages that are installed."""

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


def list_executors() -> tuple[str, ...]:
    """Return the names of the installed executors, sorted; none of them is imported.

    Examples
    --------
    >>> "python" in list_executors()
    True
    """
    return tuple(sorted(_installed()))


def get_executor(executor: str | Executor[Any] | None = None, **kwargs: Any) -> Executor[Any]:
    """Return an executor, given its name.

    Parameters
    ----------
    executor
        Name of an installed executor, in capitals or not; only the package that offers it is
        imported. None stands for ``"dask"`` where rechunker-dask is installed, otherwise for
        ``"python"``. An executor is returned as it is.
    **kwargs
        Passed on to the class that has this name.

    Returns
    -------
    Executor
        A new one if a name was given.

    Raises
    ------
    ValueError
        If no installed package offers the name, or more than one does.
    TypeError
        If `executor` is something else, or what the package offers is not an executor.

    Examples
    --------
    >>> get_executor("Python", threads=2)
    PythonExecutor(threads=2, retries=0)
    """
    if isinstance(executor, Executor):
        if kwargs:
            raise TypeError(f"{executor!r} exists already, it takes no {', '.join(kwargs)}")
        return executor
    if executor is not None and not isinstance(executor, str):
        raise TypeError(
            f"executor must be a name ({', '.join(list_executors())}) or an instance "
            f"of an Executor class, got {executor!r}"
        )
    installed = _installed()
    name = ("dask" if "dask" in installed else "python") if executor is None else executor.lower()
    if name not in installed:
        raise ValueError(_unrecognized(executor or name, installed))
    return _load(name, _only(name, installed[name]))(**kwargs)


def _installed() -> dict[str, list[EntryPoint]]:
    """Entry points of all distributions, by name in lower case."""
    installed: dict[str, list[EntryPoint]] = {}
    for entry_point in entry_points(group=GROUP):
        installed.setdefault(entry_point.name.lower(), []).append(entry_point)
    return installed


def _unrecognized(name: str, installed: Mapping[str, object]) -> str:
    # By convention the distribution is named after its executor.
    package = "rechunker-core" if name == "python" else f"rechunker-{name.lower()}"
    advice = f": pip install {package}" if re.fullmatch(r"[\w-]+", name) else ""
    names = ", ".join(sorted(installed)) or "none"
    return f"unrecognized executor {name!r}{advice} (installed: {names})"


def _only(name: str, candidates: list[EntryPoint]) -> EntryPoint:
    # pluggy would keep the first one and say nothing.
    if len(candidates) > 1:
        owners = " and ".join(sorted(map(_owner, candidates)))
        raise ValueError(f"executor {name!r} is offered by {owners}: uninstall all but one of them")
    return candidates[0]


def _owner(entry_point: EntryPoint) -> str:
    dist = entry_point.dist
    return f"{dist.name} {dist.version}" if dist else f"an unknown package ({entry_point.value})"


def _load(name: str, entry_point: EntryPoint) -> type[Executor[Any]]:
    """Import one plugin, call its hook, check what it returns."""
    manager = pluggy.PluginManager("rechunker")
    manager.add_hookspecs(hookspecs)
    manager.register(entry_point.load(), name=name)
    manager.check_pending()
    who = f"executor {name!r} of {_owner(entry_point)}"
    offers = manager.hook.rechunker_executors()
    if not offers:
        raise TypeError(f"{who}: {entry_point.value} does not implement rechunker_executors()")
    (offer,) = offers
    if not isinstance(offer, Mapping):
        raise TypeError(f"{who}: rechunker_executors() must return a mapping, got {offer!r}")
    classes = {str(key).lower(): value for key, value in offer.items()}
    if name not in classes:
        raise TypeError(f"{who}: rechunker_executors() has no {name!r}, only {list(offer)}")
    chosen = classes[name]
    if not (isinstance(chosen, type) and issubclass(chosen, Executor)):
        raise TypeError(f"{who} must be a subclass of rechunker.types.Executor, got {chosen!r}")
    return chosen
