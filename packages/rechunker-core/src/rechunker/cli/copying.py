"""Commands that plan and copy: `copy`, `plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rechunker.cli.console import Console
from rechunker.cli.options import (
    ArrayName,
    Chunks,
    Codec,
    Engine,
    ExecutorName,
    ExecutorOptions,
    Json,
    MaxMem,
    Options,
    Overwrite,
    Progress,
    Retries,
    Shards,
    Source,
    StorageOptions,
    Target,
    Temp,
    Verbose,
)

if TYPE_CHECKING:
    from rechunker import Rechunked, RechunkPlan

__all__ = ["copy", "plan"]


def copy(
    ctx: typer.Context,
    source: Source,
    target: Target,
    *,
    chunks: Chunks = None,
    shards: Shards = None,
    codec: Codec = None,
    options: Options = None,
    overwrite: Overwrite = False,
    array_name: ArrayName = None,
    max_mem: MaxMem,
    temp: Temp = None,
    executor: ExecutorName = None,
    executor_options: ExecutorOptions = None,
    engine: Engine = None,
    storage_options: StorageOptions = None,
    retries: Retries = None,
    resume: Annotated[
        bool,
        typer.Option(
            rich_help_panel="Run",
            help="Go on with what a run with the same arguments has left, if there is any.",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            rich_help_panel="Run",
            help="Read the target before it is published, and publish only an exact copy.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            rich_help_panel="Run", help="Show the plan; nothing is written, created or changed."
        ),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel="Run",
            help="Save the plan in this file instead of running it; see 'rechunker run'.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Run",
            min=1,
            help="With --save: number of tasks that are expected to run at a time.",
            show_default=False,
        ),
    ] = None,
    progress: Progress = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Copy arrays, groups and datasets into new chunks, exactly and within a memory limit.

    Nothing is written before all arguments are checked, and the target opens when all of it is
    there. Ctrl-C stops the run; the same command with --resume goes on with it.
    """
    from rechunker.cli.request import Request, shows_progress  # many modules: not for a help

    console: Console = ctx.obj
    if workers is not None and save is None:
        raise typer.BadParameter("--workers needs --save")
    for name, value in (("--dry-run", dry_run), ("--resume", resume)):
        if value and save is not None:
            raise typer.BadParameter(f"{name} and --save exclude each other")
    request = Request(
        *(source, target, chunks, max_mem, temp, executor, shards, codec, options, overwrite),
        *(array_name, storage_options, engine, executor_options),
    )
    with console.checking():
        rechunked = request.planned(console)
        kwargs: dict[str, Any] = shows_progress(progress, rechunked.executor)
        if save is not None:
            file = rechunked.save(save, verify=verify, workers=workers)
            console.result({"plan": str(file)}, f"saved: {file}")
            return
    if dry_run:
        _show_plan(console, rechunked)
        return
    if retries is not None:
        kwargs["retries"] = retries
    if hasattr(rechunked.source, "store_path") or engine == "zarr":  # others have no lasting name
        console.hint = "The same command with --resume goes on with what is done."
    rechunked.execute(resume=resume, verify=verify, **kwargs)
    _show_result(console, rechunked)


def plan(
    ctx: typer.Context,
    source: Source,
    target: Target,
    *,
    chunks: Chunks = None,
    shards: Shards = None,
    codec: Codec = None,
    options: Options = None,
    overwrite: Overwrite = False,
    array_name: ArrayName = None,
    max_mem: MaxMem,
    temp: Temp = None,
    executor: ExecutorName = None,
    executor_options: ExecutorOptions = None,
    engine: Engine = None,
    storage_options: StorageOptions = None,
    html: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel="Output",
            help="Write the plan as a page for a browser to this file.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show what 'rechunker copy' would do with the same arguments: stages, requests, memory, time.

    Nothing is written but the page, if one is asked for.
    """
    from rechunker.cli.request import Request  # many modules: not for a help

    console: Console = ctx.obj
    request = Request(
        *(source, target, chunks, max_mem, temp, executor, shards, codec, options, overwrite),
        *(array_name, storage_options, engine, executor_options),
    )
    with console.checking():
        rechunked = request.planned(console)
        if html is not None:
            html.write_text(console.clean(rechunked.to_html()), "utf-8")
    _show_plan(console, rechunked)


def _show_plan(console: Console, rechunked: Rechunked[Any]) -> None:
    plans = rechunked.copy_plan
    tables = (f"{name}: {each}" if name else str(each) for name, each in plans.items())
    data = {
        **_places(rechunked),
        "arrays": {name: _plan_data(each) for name, each in plans.items()},
    }
    console.result(data, "\n\n".join([repr(rechunked), *tables]))


def _places(rechunked: Rechunked[Any]) -> dict[str, Any]:
    between = rechunked.intermediate
    return {
        "source": _place(rechunked.source),
        "target": _place(rechunked.target),
        "intermediate": None if between is None else str(between.path),
        "left_out": list(rechunked.left_out),
        "executor": repr(rechunked.executor),
    }


def _place(values: Any) -> str:
    """Return where a Zarr array or group is; of anything else, its first line."""
    return str(getattr(values, "store_path", None) or repr(values).partition("\n")[0])


def _plan_data(of: RechunkPlan) -> dict[str, Any]:
    stages = [
        {
            name: getattr(stage, name)
            for name in ("tasks", "gets", "puts", "bytes_read", "bytes_written", "memory", "grid")
        }
        for stage in of.stages
    ]
    return {
        "shape": of.shape,
        "source_chunks": of.source_chunks,
        "target_chunks": of.target_chunks,
        "itemsize": of.itemsize,
        "max_mem": of.max_mem,
        "peak_memory": of.peak_memory,
        "hops": of.hops,
        "read_amplification": of.read_amplification,
        "seconds": of.cost,
        "stages": stages,
    }


def _show_result(console: Console, rechunked: Rechunked[Any]) -> None:
    from rechunker.sizes import format_bytes

    report, traffic = rechunked.report, rechunked.traffic
    assert report is not None  # the execution is complete
    lines = [f"{rechunked.target!r} in {report.seconds:.3g} seconds"]
    if traffic is not None:
        lines[0] += (
            f": {traffic.tasks:,} tasks, {format_bytes(traffic.bytes_read)} read, "
            f"{format_bytes(traffic.bytes_written)} written"
        )
        if traffic.known:
            lines.append(f"{traffic.known:,} tasks were done before")
    if rechunked.left_out:
        lines.append(f"left out: {', '.join(rechunked.left_out)}")
    if report.digests:
        lines.append("verified: the target is equal to the source")
    if console.verbose:
        lines.append(str(report))
    console.result({**_places(rechunked), "report": report.to_dict()}, "\n".join(lines))
