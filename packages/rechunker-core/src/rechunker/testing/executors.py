"""The suite that every executor passes."""

from __future__ import annotations

from rechunker.testing.arrays import ArrayTests
from rechunker.testing.contract import ContractTests

__all__ = ["ExecutorTests"]


class ExecutorTests(ContractTests, ArrayTests):
    """Tests of an executor on its own engine; make a subclass that names it.

    Attributes
    ----------
    executor
        Name of the executor.
    options
        Keyword arguments with which every plan is executed.
    repeats
        How many times geometries are rechunked that lose data where two tasks write one chunk.

    Notes
    -----
    Three fixtures may be overridden:

    - `engine` returns the executor, by default the one of that name.
    - `patient` returns a `rechunker.testing.Patient`, which tries a task three times. By
      default None, which says that a task that fails is not tried again.
    - `watched` returns a `rechunker.testing.Watched`, keyword arguments and a function
      that tells whether they arrived. By default None, which says that there are none; others
      must then raise a `TypeError`.

    What tasks do is seen by the files that they leave, so they may run in other processes; these
    must see the file system of the tests, and be able to import `rechunker.testing`.

    Examples
    --------
    A whole test module::

        from rechunker.testing import ExecutorTests

        class TestThreadsExecutor(ExecutorTests):
            executor = "threads"
    """
