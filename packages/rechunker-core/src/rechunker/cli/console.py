"""Console: what a command says, to people or to machines, without credentials."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

__all__ = ["Console", "RefusedError"]

# Secrets that are shorter are taken for accidents: they stand in many words.
_SHORTEST = 4
# What says that arguments, or what they name, cannot be used; anything else is a failure.
_REFUSALS = (ValueError, TypeError, ImportError, FileNotFoundError, FileExistsError)
# What arguments of `rechunker.rechunk` are called here. Names of files and keys stay as they are.
_WORDS = {
    "array_name": "--array-name",
    "max_mem": "--max-mem",
    "storage_options": "--storage-options",
    "target_chunks": "--chunks",
    "target_options": "--options",
    "target_store": "TARGET",
    "temp_store": "--temp",
}
# How errors name the option that lets something be replaced.
_OVERWRITE = re.compile(
    r"target_options=\{('\*': \{)?'overwrite': True\}+|"
    r"'overwrite': True in the target_options of '[^']*'"
)
_ARGUMENT = re.compile(rf"(?<![\w/.'\"-])({'|'.join(_WORDS)})(?![\w/'\"-]|\.\w)")


class RefusedError(Exception):
    """Arguments that are refused, before anything is written."""


class Console:
    """Output of one command.

    Attributes
    ----------
    verbose
        Whether errors are shown with their traceback, and what is logged, too.
    as_json
        Whether the result is for a machine.
    hint
        What an interrupted command leaves to do; "" if that is nothing.
    """

    def __init__(self) -> None:
        self.verbose = False
        self.as_json = False
        self.hint = ""
        self._secrets: set[str] = set()

    def hide(self, secrets: frozenset[str]) -> None:
        """Leave texts out of all that is shown from now on."""
        self._secrets |= {secret for secret in secrets if len(secret) >= _SHORTEST}

    def clean(self, text: object) -> str:
        """Return a text without credentials."""
        from rechunker.stores import without_secrets  # takes longer than to show a help

        shown = without_secrets(text)
        for secret in sorted(self._secrets, key=len, reverse=True):
            shown = shown.replace(secret, "***")
        return shown

    def result(self, data: Any, text: str) -> None:
        """Show the result of a command: the data to machines, the text to people."""
        # What stands for a secret in a text has quotation marks that JSON does not know.
        shown = json.dumps(_cleaned(self, data)) if self.as_json else self.clean(text)
        _write(sys.stdout, shown)

    def note(self, text: object) -> None:
        """Show something on stderr."""
        _write(sys.stderr, " ".join(self.clean(text).split()))

    def failed(self, error: BaseException) -> None:
        """Show an error in one line; before it the traceback, if that is wanted."""
        if self.verbose:
            _write(sys.stderr, self.clean("".join(traceback.format_exception(error))).rstrip())
        cause = error.__cause__ if isinstance(error, RefusedError) else None
        shown = cause or error
        text = str(shown) or type(shown).__name__
        if isinstance(shown, KeyError):  # its text is the key
            text = f"KeyError: {text}"
        text = _OVERWRITE.sub("--overwrite", text)
        self.note(f"Error: {_ARGUMENT.sub(lambda match: _WORDS[match[1]], text)}")

    def interrupted(self) -> None:
        """Say that Ctrl-C has ended the command."""
        self.note(f"Interrupted. {self.hint}")

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Turn errors that say that arguments cannot be used into a `RefusedError`."""
        try:
            yield
        except _REFUSALS as error:
            raise RefusedError from error

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Show each warning in a line, and what is logged if that is wanted."""
        handler = _Lines(self)
        logger = logging.getLogger("rechunker")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        with warnings.catch_warnings():
            warnings.showwarning = self._warned
            try:
                yield
            finally:
                logger.setLevel(level)
                logger.removeHandler(handler)

    def _warned(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        self.note(f"Warning: {message}")


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


class _Lines(logging.Handler):
    """Shows what is logged: warnings always, anything else to those who want to see more."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        if self._console.verbose or record.levelno >= logging.WARNING:
            self._console.note(f"{record.levelname.capitalize()}: {record.getMessage()}")


def _cleaned(console: Console, data: Any) -> Any:
    """Return data for JSON without credentials in its texts."""
    if isinstance(data, str):
        return console.clean(data)
    if isinstance(data, dict):
        return {str(key): _cleaned(console, value) for key, value in data.items()}
    return [_cleaned(console, value) for value in data] if isinstance(data, list | tuple) else data
