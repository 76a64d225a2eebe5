"""`ExecutorTests`: the test suite that every executor must pass."""

from __future__ import annotations

from rechunker.testing.arrays import ArrayTests
from rechunker.testing.contract import ContractTests
from rechunker.testing.ending import EndingTests
from rechunker.testing.progress import ProgressTests
from rechunker.testing.resuming import ResumingTests
from rechunker.testing.sending import SendingTests
from rechunker.testing.workers import WorkersTests

__all__ = ["ExecutorTests"]


class ExecutorTests(
    ContractTests,
    EndingTests,
    ProgressTests,
    ResumingTests,
    SendingTests,
    WorkersTests,
    ArrayTests,
):
    """Test suite for an executor: subclass it and set `executor`.

    Attributes
    ----------
    executor
        Name of the executor.
    options
        Keyword arguments of `execute` for every plan of the suite. By default none.
    repeats
        Number of times to rechunk arrays that would lose data if two tasks wrote the same chunk.
        By default 2.

    Notes
    -----
    Subclasses may override three fixtures:

    - `engine` returns the executor under test. By default it is created by name, without
      arguments.
    - `patient` returns a `rechunker.testing.Patient`: an executor, and keyword arguments of
      `execute`, with which a task is attempted three times. By default None: the suite then
      requires that ``execute(retries=2)`` raises a `TypeError` or makes three attempts.
    - `watched` returns a `rechunker.testing.Watched`: keyword arguments of `execute`, and a
      function that returns whether they reached the engine. By default None: the suite then
      requires that any keyword argument raises a `TypeError`.

    The suite observes tasks by the files that they leave. Tasks may therefore run in other
    processes, if these see the same file system and can import `rechunker.testing`. It sends the
    signal of Ctrl-C to this process, so it needs POSIX and the main thread.

    Examples
    --------
    A complete test module::

        from rechunker.testing import ExecutorTests

        class TestThreadsExecutor(ExecutorTests):
            executor = "threads"
    """
