"""The command `clean`: what runs that have ended have left in a store."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rechunker.cli.console import Console
from rechunker.cli.options import Json, StorageOptions, Verbose

__all__ = ["clean"]


def clean(
    ctx: typer.Context,
    store: Annotated[
        str,
        typer.Argument(
            metavar="STORE",
            help="A target, a temp store, or a folder around some: a path or a URL.",
            show_default=False,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    dry_run: Annotated[bool, typer.Option(help="List only; nothing is removed.")] = False,
    unknown: Annotated[
        bool,
        typer.Option(
            help="Remove also what is left of runs that cannot be asked whether they go on, such "
            "as those on other computers. Make sure that they have ended."
        ),
    ] = False,
    storage_options: StorageOptions = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List what runs have left that do not go on, and remove it.

    A run that was cleaned up cannot be resumed. Chunks of a target that is not finished stay.
    """
    import rechunker
    from rechunker.cli.request import storage_options_of

    console: Console = ctx.obj
    if not (yes or dry_run) and (as_json or not sys.stdin.isatty()):
        raise typer.BadParameter("nobody can be asked: give --yes to remove, or --dry-run to list")
    with console.checking():
        options = storage_options_of(storage_options, console)
        found = rechunker.leftovers(store, storage_options=options)
    chosen = [each for each in found if unknown or each.state == "ended"]
    lines = [f"{each}{'' if each in chosen else ' (stays; see --unknown)'}" for each in found]
    asks = bool(chosen) and not (yes or dry_run)
    if asks:
        sys.stdout.write(f"{console.clean(chr(10).join(lines))}\n")
    removed = bool(chosen) and not dry_run
    if removed and (yes or typer.confirm(f"Remove {len(chosen)} of these?")):
        chosen = list(rechunker.clean(store, unknown=unknown, storage_options=options))
    else:
        removed = False
    data = [
        {
            **{name: getattr(each, name) for name in ("kind", "key", "objects", "state", "holder")},
            "removed": removed and each in chosen,
        }
        for each in found
    ]
    last = f"removed: {len(chosen)}" if removed else "nothing is removed"
    shown = ([] if asks else lines) or ["nothing is left"]
    console.result(data, "\n".join([*shown, last] if found else shown))
