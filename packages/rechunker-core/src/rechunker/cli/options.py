"""Options that commands share: their names, their help, and their types."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = [
    "ArrayName",
    "Chunks",
    "Codec",
    "Engine",
    "ExecutorName",
    "ExecutorOptions",
    "Json",
    "MaxMem",
    "Options",
    "Overwrite",
    "Progress",
    "Retries",
    "Shards",
    "Source",
    "StorageOptions",
    "Target",
    "Temp",
    "Verbose",
    "installed_executors",
]

_TARGET, _RUN, _OUTPUT = "Target", "Run", "Output"


def _be_verbose(ctx: typer.Context, value: bool) -> bool:
    """Note the option wherever it stands, before or after the name of the command."""
    ctx.obj.verbose = ctx.obj.verbose or value
    return value


def _be_json(ctx: typer.Context, value: bool) -> bool:
    ctx.obj.as_json = value
    return value


def installed_executors(incomplete: str) -> list[str]:
    """Return the names of executors that begin with some letters, for completion in a shell."""
    from rechunker.plugins import list_executors  # nothing else needs it

    return [name for name in list_executors() if name.startswith(incomplete)]


def _option(*names: str, panel: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, help=help, **more)


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Zarr array or group, or a file that xarray opens: a path or a URL, e.g. "
        "'data/maps.zarr', 's3://bucket/maps.zarr', 'maps.nc'.",
        show_default=False,
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="Where to write: a path or a URL. To a group that is there, arrays are added.",
        show_default=False,
    ),
]
Chunks = Annotated[
    list[str] | None,
    _option(
        "--chunks",
        panel=_TARGET,
        help="Chunks of the target: 'time=-1,lat=10', '...=100MB', 'auto', '100,100', "
        "'ARRAY:100,100' for one array, or JSON. May be repeated. By default as in the source.",
        show_default=False,
    ),
]
MaxMem = Annotated[
    str,
    _option("--max-mem", panel=_RUN, help="Memory limit per task, e.g. '2GB'.", show_default=False),
]
Temp = Annotated[
    str | None,
    _option(
        "--temp",
        panel=_RUN,
        help="Where to write temporary objects, if any are needed: a path or a URL.",
        show_default=False,
    ),
]
ExecutorName = Annotated[
    str | None,
    _option(
        "--executor",
        panel=_RUN,
        help="Name of an executor; see 'rechunker executors'.",
        show_default=False,
        autocompletion=installed_executors,
    ),
]
ExecutorOptions = Annotated[
    list[str] | None,
    _option(
        "--executor-options",
        panel=_RUN,
        help="Arguments of the executor: 'threads=4', 'scheduler=tcp://host:8786' for dask, or "
        "JSON. May be repeated.",
        show_default=False,
    ),
]
Shards = Annotated[
    str | None,
    _option(
        "--shards",
        panel=_TARGET,
        help="Shards of all arrays, in the form of --chunks; 'none' for no shards.",
        show_default=False,
    ),
]
Codec = Annotated[
    list[str] | None,
    _option(
        "--codec",
        panel=_TARGET,
        help="Compressor of all arrays: 'zstd:level=3', 'none', 'auto' for Zarr's default, or "
        "JSON. May be repeated. By default as in the source.",
        show_default=False,
    ),
]
Options = Annotated[
    str | None,
    _option(
        "--options",
        panel=_TARGET,
        help="All other options of the target: JSON, in the form of target_options.",
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool,
    _option(
        "--overwrite/--no-overwrite",
        panel=_TARGET,
        help="Replace what is at the target. It is deleted when copying starts, not before.",
    ),
]
ArrayName = Annotated[
    str | None,
    _option(
        "--array-name",
        panel=_TARGET,
        help="Name of the target array in the group at TARGET.",
        show_default=False,
    ),
]
Engine = Annotated[
    str | None,
    _option(
        "--engine",
        panel=_RUN,
        help="Open the source with this engine of xarray; 'zarr' opens it as a dataset.",
        show_default=False,
    ),
]
StorageOptions = Annotated[
    list[str] | None,
    _option(
        "--storage-options",
        panel=_RUN,
        help="Options of URLs, for fsspec or obstore: 'anon=true', 'client_kwargs.endpoint_url="
        "...', or JSON. May be repeated. Credentials are safer in the environment.",
        show_default=False,
    ),
]
Retries = Annotated[
    int | None,
    _option(
        "--retries",
        panel=_RUN,
        min=0,
        help="Number of times to retry a failed task.",
        show_default=False,
    ),
]
Progress = Annotated[
    bool | None,
    _option(
        "--progress/--no-progress",
        panel=_OUTPUT,
        help="Show a progress bar; by default on a terminal.",
        show_default=False,
    ),
]
Json = Annotated[
    bool,
    _option("--json", panel=_OUTPUT, help="Print the result as JSON.", callback=_be_json),
]
Verbose = Annotated[
    bool,
    _option(
        "--verbose/--no-verbose",
        "-v",
        panel=_OUTPUT,
        help="Show errors with their traceback, and what is logged.",
        callback=_be_verbose,
    ),
]
