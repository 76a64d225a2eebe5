"""The command line: the program `rechunker`, and its exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code.

    Parameters
    ----------
    arguments
        Words after the name of the program; by default those of this process.

    Returns
    -------
    int
        0 if all went well, 1 after a failure, 2 if the arguments were refused before anything was
        written, 3 if two sides are not equal, 130 after Ctrl-C.
    """
    try:
        from rechunker.cli.program import run  # an optional dependency
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.stderr.write('the command line needs typer: pip install "rechunker-core[cli]"\n')
        return 1
    return run(arguments)
