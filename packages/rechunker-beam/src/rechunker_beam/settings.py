"""What people give to name a runner and its options, and what that says."""

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

# Beam's own default would first look for a program to download, at every pipeline.
DEFAULT = "FnApiRunner"
LOCAL = ("bundlebaseddirect", "direct", "fnapi", "switchingdirect")


def make_options(options: object) -> PipelineOptions:
    """Return options as Beam takes them; what this process was called with is never looked at.

    Parameters
    ----------
    options
        Beam's own, a mapping (``{"direct_num_workers": 2}``), or a list of flags
        (``["--direct_num_workers=2"]``).

    Raises
    ------
    TypeError
        If they are anything else.

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
        f"options={options!r}: they are PipelineOptions, a mapping as {{'direct_num_workers': 2}}, "
        "or a list of flags as ['--direct_num_workers=2']"
    )


def choose_runner(runner: object, options: PipelineOptions) -> Runner:
    """Return the runner that is named, by itself or in the options, or that of this process.

    Parameters
    ----------
    runner
        As `apache_beam.Pipeline` takes it.
    options
        Those of the pipeline.

    Raises
    ------
    TypeError
        If the runner is neither a name nor one of Beam's.
    """
    chosen = runner or options.view_as(StandardOptions).runner or DEFAULT
    if not isinstance(chosen, str | PipelineRunner):
        raise TypeError(f"runner={chosen!r}: it is a name, as 'FnApiRunner', or a runner of Beam")
    return chosen


def is_local(runner: Runner) -> bool:
    """Say whether a runner is one of those that Beam has for one machine.

    Parameters
    ----------
    runner
        As `apache_beam.Pipeline` takes it.

    Examples
    --------
    >>> is_local("direct"), is_local("DataflowRunner")
    (True, False)
    """
    name = runner if isinstance(runner, str) else type(runner).__name__
    return name.rpartition(".")[2].lower().removesuffix("runner") in LOCAL


def count_workers(runner: Runner, options: PipelineOptions) -> int:
    """Return how many batches a runner works on at a time, as far as options tell; otherwise 1.

    Parameters
    ----------
    runner
        As `apache_beam.Pipeline` takes it.
    options
        Those of the pipeline: for a local runner ``direct_num_workers`` (0 stands for all
        processors), for another one ``max_num_workers``, or ``num_workers``.

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
