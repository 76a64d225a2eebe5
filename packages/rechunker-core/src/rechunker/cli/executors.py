"""The command `executors`: which there are, which are installed, and how to install the others."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import typer

from rechunker.cli.console import Console
from rechunker.cli.options import Json, Verbose

__all__ = ["executors"]

# Those of the Rechunker project; others are known once they are installed.
_KNOWN = ("beam", "dask", "prefect", "python", "pywren")


def executors(ctx: typer.Context, as_json: Json = False, verbose: Verbose = False) -> None:
    """List the executors: names for --executor, their packages, and how to install them.

    Nothing is imported, so a package that is listed may still be broken.
    """
    from rechunker.plugins import GROUP

    console: Console = ctx.obj
    found: dict[str, Any] = {name: {"name": name, "installed": False} for name in _KNOWN}
    for entry in entry_points(group=GROUP):
        package = None if entry.dist is None else entry.dist.name
        version = None if entry.dist is None else entry.dist.version
        name = entry.name.lower()
        found[name] = {"name": name, "installed": True, "package": package, "version": version}
    rows = []
    for name in sorted(found):
        each = found[name]
        if each["installed"]:
            shown = f"{each['package'] or 'an unknown package'} {each['version'] or ''}"
        else:
            each |= {"package": f"rechunker-{name}", "version": None}
            each["install"] = f"pip install rechunker-{name}"
            shown = f"not installed: {each['install']}"
        each["default"] = name == ("dask" if found["dask"]["installed"] else "python")
        rows.append(f"{name:<10}{shown.strip()}{' (default)' if each['default'] else ''}")
    console.result([found[name] for name in sorted(found)], "\n".join(rows))
