"""The program: its commands, and what becomes of their errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import rechunker
from rechunker.cli.cleaning import clean
from rechunker.cli.comparing import digest, verify
from rechunker.cli.console import Console, RefusedError
from rechunker.cli.copying import copy, plan
from rechunker.cli.executors import executors
from rechunker.cli.info import info
from rechunker.cli.options import Verbose
from rechunker.cli.tasks import run as run_tasks

__all__ = ["run"]

FAILED, REFUSED, INTERRUPTED = 1, 2, 130

# Typer (0.26 to 0.29) has click inside. The class of all its errors about arguments is the base of
# this one, and has no public name.
_UsageError: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="rechunker",
    pretty_exceptions_enable=False,  # these would show variables, credentials among them
    epilog="Exit codes: 0 all went well, 1 failed, 2 refused before anything was written, 3 not "
    "equal (verify), 130 interrupted.",
)
for _command in (copy, plan, verify, digest, info, executors, clean):
    app.command()(_command)
app.command("run")(run_tasks)


def _show_version(ctx: typer.Context, value: bool) -> None:
    if value:
        ctx.obj.result({"version": rechunker.__version__}, f"rechunker {rechunker.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _rechunker(
    ctx: typer.Context,
    verbose: Verbose = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Change the chunks of Zarr arrays, groups and datasets, within a memory limit."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(REFUSED)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return its exit code.

    Parameters
    ----------
    arguments
        Words after its name; by default those of this process.
    """
    console = Console()
    words = list(sys.argv[1:] if arguments is None else arguments)
    with console.listening():
        try:
            code = app(args=words, prog_name="rechunker", standalone_mode=False, obj=console) or 0
        except _UsageError as error:
            command = error.ctx.command_path if error.ctx is not None else "rechunker"
            console.note(f"Error: {error.format_message()} (see {command} --help)")
            return REFUSED
        except RefusedError as error:
            console.failed(error)
            return REFUSED
        except (KeyboardInterrupt, typer.Abort):
            code = INTERRUPTED
        except Exception as error:  # noqa: BLE001 (it is shown)
            console.failed(error)
            return FAILED
    if code == INTERRUPTED:
        console.interrupted()
    return int(code)
