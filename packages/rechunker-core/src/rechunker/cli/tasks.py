"""The command `run`: tasks of a plan that was saved, for job arrays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rechunker.cli.console import Console
from rechunker.cli.options import Json, Retries, StorageOptions, Verbose

if TYPE_CHECKING:
    from rechunker import SavedPlan

__all__ = ["run"]


def run(
    ctx: typer.Context,
    plan: Annotated[
        Path,
        typer.Argument(
            metavar="PLAN",
            help="File that 'rechunker copy --save' has written.",
            show_default=False,
        ),
    ],
    start: Annotated[
        bool, typer.Option("--start", help="Claim the target and clear it: once, before all tasks.")
    ] = False,
    number: Annotated[
        int | None,
        typer.Option("--round", min=0, help="Run tasks of this round.", show_default=False),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            "--tasks",
            help="Of the round, only these: A:B for A to B - 1, or a single number.",
            show_default=False,
        ),
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(
            "--share",
            help="Of the round, only the share I/N of process I of N, from 0.",
            show_default=False,
        ),
    ] = None,
    left: Annotated[
        bool,
        typer.Option("--left", help="Run nothing; list the tasks of the round that are not done."),
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Write what makes the target readable: at the end.")
    ] = False,
    retries: Retries = None,
    storage_options: StorageOptions = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run tasks of a saved plan, in any process on any computer.

    Without options, print the rounds: a line for each, with its number, its number of tasks, and
    what they do. Call it with --start once, then for all tasks of each round, round by round, and
    with --publish at the end. Tasks that are done are not run again.
    """
    import rechunker
    from rechunker.cli.request import storage_options_of

    console: Console = ctx.obj
    if number is None and (tasks or share or left):
        raise typer.BadParameter("--tasks, --share and --left need --round")
    if sum(map(bool, (tasks, share, left))) > 1:
        raise typer.BadParameter("--tasks, --share and --left exclude each other")
    with console.checking():
        options = storage_options_of(storage_options, console)
        saved = rechunker.load(plan, storage_options=options)
        chosen = None if number is None else _chosen(saved, number, tasks, share)
    console.hint = "Run the same tasks again; those that are done are left out."
    if number is None and not (start or publish):
        _show_rounds(console, saved)
        return
    data: dict[str, Any] = {}
    lines = []
    if start:
        saved.start()
        data["started"], lines = True, ["started"]
    if number is not None and left:
        ranges = saved.left(number)
        data["left"] = [[each.start, each.stop] for each in ranges]
        lines += [f"{each.start}:{each.stop}" for each in ranges]
    elif number is not None and chosen is not None:
        traffic = saved.run(number, chosen, retries=retries or 0)
        data |= {"round": number, "tasks": [chosen.start, chosen.stop], "traffic": traffic.figures}
        lines.append(f"round {number}: {traffic.tasks:,} tasks run, {traffic.known:,} known")
    if publish:
        target = saved.publish()
        data["target"] = str(target.store_path)
        lines.append(f"published: {target!r}")
    if lines or console.as_json:
        console.result(data, "\n".join(lines))


def _chosen(saved: SavedPlan, number: int, tasks: str | None, share: str | None) -> range:
    """Return the tasks that the options stand for."""
    if number >= len(saved.rounds):
        raise ValueError(f"the plan has rounds 0 to {len(saved.rounds) - 1}, got --round {number}")
    count = saved.rounds[number].tasks
    if share is not None:
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", share.strip())
        if match is None or not int(match[1]) < int(match[2]):
            raise ValueError(f"--share must be I/N with I from 0 to N - 1, got {share!r}")
        return saved.share(number, int(match[1]), int(match[2]))
    if tasks is None:
        return range(count)
    match = re.fullmatch(r"([0-9]+)(?::([0-9]+))?", tasks.strip())
    if match is None:
        raise ValueError(f"--tasks must be A:B or a number, got {tasks!r}")
    first = int(match[1])
    stop = first + 1 if match[2] is None else int(match[2])
    if not first <= stop <= count:
        raise ValueError(f"round {number} has tasks 0:{count}, got --tasks {tasks}")
    return range(first, stop)


def _show_rounds(console: Console, saved: SavedPlan) -> None:
    rounds = [
        {"round": n, "tasks": r.tasks, "name": r.name, "memory": r.memory, "nbytes": r.nbytes}
        for n, r in enumerate(saved.rounds)
    ]
    lines = (f"{each['round']} {each['tasks']} {each['name']}" for each in rounds)
    console.result({"rounds": rounds}, "\n".join(lines))
