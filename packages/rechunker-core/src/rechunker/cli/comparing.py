"""Commands that read values and compare them: `verify`, `digest`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rechunker.cli.console import Console
from rechunker.cli.options import (
    Engine,
    ExecutorOptions,
    Json,
    Progress,
    StorageOptions,
    Verbose,
    installed_executors,
)

__all__ = ["NOT_EQUAL", "digest", "verify"]

NOT_EQUAL = 3
"""Exit code of `verify` if two sides are not equal."""

_MaxMem = Annotated[str, typer.Option(help="Memory limit per task.")]
_Executor = Annotated[
    str,
    typer.Option(
        help="Name of an executor; see 'rechunker executors'.",
        autocompletion=installed_executors,
    ),
]
_Temp = Annotated[
    str | None,
    typer.Option(
        help="Where tasks that run in other processes leave their sums: a path or a URL.",
        show_default=False,
    ),
]
_VALUES = "Zarr array or group, or a file that xarray opens: a path or a URL."


def verify(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help=_VALUES, show_default=False)],
    b: Annotated[
        str, typer.Argument(metavar="B", help="What to compare with it.", show_default=False)
    ],
    max_mem: _MaxMem = "1GB",
    executor: _Executor = "python",
    executor_options: ExecutorOptions = None,
    temp: _Temp = None,
    engine: Engine = None,
    storage_options: StorageOptions = None,
    progress: Progress = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Read two sides, and say whether all their values have the same bits.

    The exit code is 0 if they have, and 3 if not; the first differences are shown.
    """
    import rechunker

    console: Console = ctx.obj
    with console.checking():
        words = (max_mem, executor, executor_options, temp, storage_options, progress)
        sides, kwargs = _opened(console, [a, b], engine, *words)
        found = rechunker.verify(*sides, **kwargs)
    differences = [
        {"array": d.array, "what": d.what, "chunk": d.chunk, "elements": d.elements}
        for d in found.differences
    ]
    digests = {"a": str(found.source), "b": str(found.target)}
    console.result({"equal": bool(found), **digests, "differences": differences}, str(found))
    if not found:
        raise typer.Exit(NOT_EQUAL)


def digest(
    ctx: typer.Context,
    values: Annotated[str, typer.Argument(metavar="A", help=_VALUES, show_default=False)],
    max_mem: _MaxMem = "1GB",
    executor: _Executor = "python",
    executor_options: ExecutorOptions = None,
    temp: _Temp = None,
    engine: Engine = None,
    storage_options: StorageOptions = None,
    progress: Progress = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Read all values, and print their digest, however they are stored.

    Of a group or a dataset, a line for each array follows.
    """
    import rechunker

    console: Console = ctx.obj
    with console.checking():
        words = (max_mem, executor, executor_options, temp, storage_options, progress)
        sides, kwargs = _opened(console, [values], engine, *words)
        found = rechunker.digest(*sides, **kwargs)
    named = sorted((name, each) for name, each in found.arrays.items() if name)
    lines = [str(found), *(f"{each}  {name}" for name, each in named)]
    console.result({"digest": str(found), "arrays": dict(found.arrays)}, "\n".join(lines))


def _opened(
    console: Console,
    places: list[str],
    engine: str | None,
    max_mem: str,
    executor: str,
    executor_options: list[str] | None,
    temp: str | None,
    storage_options: list[str] | None,
    progress: bool | None,
) -> tuple[list[Any], dict[str, Any]]:
    """Open what is to be read; return it with the other arguments of the function that reads it."""
    from rechunker.cli.request import (
        executor_of,
        open_values,
        shows_progress,
        storage_options_of,
    )
    from rechunker.stores import options_of_urls

    options = storage_options_of(storage_options, console)
    named = dict(zip(map(str, range(len(places))), places, strict=True))
    found = options_of_urls(options, **named, temp_store=temp)
    sides = [open_values(place, found[name], engine) for name, place in named.items()]
    chosen = executor_of(executor, executor_options, console)
    kwargs = {
        "max_mem": max_mem,
        "executor": chosen,
        "temp_store": temp,
        "storage_options": found["temp_store"],
        **shows_progress(progress, chosen),
    }
    return sides, kwargs
