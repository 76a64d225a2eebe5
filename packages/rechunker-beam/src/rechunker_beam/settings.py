"""Runner and pipeline options: their defaults, their checks, and the workers they imply."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.runner import PipelineRunner

__all__ = ["Options", "Runner", "choose_runner", "count_workers", "is_local", "make_options"]

Runner: TypeAlias = str | PipelineRunner
Options: TypeAlias = PipelineOptions | Mapping[str, Any] | Sequence[str]

# Beam's own default, DirectRunner, looks for a program to download at the start of every pipeline.
DEFAULT = "FnApiRunner"
LOCAL = ("bundlebaseddirect", "direct", "fnapi", "switchingdirect")


def make_options(options: object) -> PipelineOptions:
    """Return Beam's `PipelineOptions`, without any command line arguments of this process.

    Parameters
    ----------
    options
        `PipelineOptions`, a mapping (``{"direct_num_workers": 2}``), a list of flags
        (``["--direct_num_workers=2"]``), or None for Beam's defaults.

    Raises
    ------
    TypeError
        If `options` are anything else.

    Examples
    --------
    >>> make_options({"job_name": "air"}).get_all_options(drop_default=True)
    {'job_name': 'air'}
    """
    if isinstance(options, PipelineOptions):
        return options
    if isinstance(options, Mapping) and all(isinstance(name, str) for name in options):
        return PipelineOptions.from_dictionary(options)
    flags = [] if options is None else options
    if isinstance(flags, list | tuple) and all(isinstance(flag, str) for flag in flags):
        return PipelineOptions(list(flags))
    raise TypeError(
        "options must be PipelineOptions, a mapping such as {'direct_num_workers': 2} or a list "
        f"of flags such as ['--direct_num_workers=2'], got {options!r}"
    )


def choose_runner(runner: object, options: PipelineOptions) -> Runner:
    """Return the given runner, or else the one named in the options, or else "FnApiRunner".

    Parameters
    ----------
    runner
        A name or a `PipelineRunner`, as `apache_beam.Pipeline` takes it; None to use the options.
    options
        Options of the pipeline.

    Raises
    ------
    TypeError
        If the runner is neither a name nor a `PipelineRunner`.
    """
    chosen = runner or options.view_as(StandardOptions).runner or DEFAULT
    if not isinstance(chosen, str | PipelineRunner):
        raise TypeError(
            "runner must be a name such as 'FnApiRunner' or an instance of a PipelineRunner, "
            f"got {chosen!r}"
        )
    return chosen


def is_local(runner: Runner) -> bool:
    """Return whether a runner is one of Beam's runners for one machine.

    Parameters
    ----------
    runner
        A name or a `PipelineRunner`, as `apache_beam.Pipeline` takes it.

    Examples
    --------
    >>> is_local("direct"), is_local("DataflowRunner")
    (True, False)
    """
    name = runner if isinstance(runner, str) else type(runner).__name__
    return name.rpartition(".")[2].lower().removesuffix("runner") in LOCAL


def count_workers(runner: Runner, options: PipelineOptions) -> int:
    """Return the number of batches that a runner works on at a time, according to its options.

    Parameters
    ----------
    runner
        A name or a `PipelineRunner`, as `apache_beam.Pipeline` takes it.
    options
        Options of the pipeline. With a runner for one machine, ``direct_num_workers`` counts (0
        means all cores); with other runners ``max_num_workers``, or else ``num_workers``. 1 if
        none is set.

    Examples
    --------
    >>> count_workers("FnApiRunner", make_options({"direct_num_workers": 3}))
    3
    """
    if is_local(runner):
        chosen = options.view_as(DirectOptions).direct_num_workers
        return (os.cpu_count() or 1) if chosen == 0 else chosen or 1
    cluster = options.view_as(WorkerOptions)
    return cluster.max_num_workers or cluster.num_workers or 1
