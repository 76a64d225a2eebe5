"""Runs: executions of a planned target, from the start or from where an earlier one has stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import zarr

from rechunker.jobs.array_plan import Parallelism
from rechunker.jobs.resuming import check_facts
from rechunker.jobs.target_job import TargetJob
from rechunker.pictures import ArrayFigures
from rechunker.planning import RechunkPlan, StagePlan
from rechunker.stores import is_process_local
from rechunker.types import Changes, CopySpec

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """What `rechunker.Rechunked` needs to execute a planned target.

    Parameters
    ----------
    job
        The planned target.
    plan
        Plans it for an executor with other numbers; can be pickled.
    """

    job: TargetJob
    plan: Callable[[Parallelism], TargetJob]

    @property
    def copy_plan(self) -> dict[str, RechunkPlan]:
        """Plans of the arrays, by their names."""
        return {array.name: array.plan for array in self.job.jobs}

    @property
    def predicted(self) -> dict[str, StagePlan]:
        """Planned stages of all arrays, by the names of the stages that run them."""
        return {name: stage for job in self.job.jobs for name, stage in job.predicted.items()}

    @property
    def figures(self) -> tuple[ArrayFigures, ...]:
        """What is shown of the arrays."""
        return tuple(array.figures for array in self.job.jobs)

    @property
    def seconds(self) -> float:
        """Modelled time of all arrays together, in seconds."""
        return self.job.seconds

    def digests(self, sums: Iterable[tuple[str, int]]) -> dict[str, str]:
        """Return the digests of verified arrays, by their names.

        Parameters
        ----------
        sums
            Their names, and the sums over their values.
        """
        jobs = {job.name: job for job in self.job.jobs}
        return {name: jobs[name].digest(total) for name, total in sums}

    def specs(self, *, verify: bool = False) -> Iterator[CopySpec]:
        """Yield the copy specs of all arrays, and of start and finish."""
        return self.job.specs(verify=verify)

    def held(self, *, resume: bool) -> AbstractContextManager[None]:
        """Return a context in which this process holds the target."""
        return self.job.held(resume=resume)

    def gather(self, changes: Iterable[Changes]) -> None:
        """Give the session of the target, if it has one, what tasks have written."""
        self.job.gather(changes)

    def open(self) -> zarr.Array[Any] | zarr.Group:
        """Open the target, which must exist."""
        return self.job.open()

    def give_free(self) -> None:
        """Take the claim from the target, so that tasks of this run stop, wherever they run."""
        for root in self.job.roots:
            claim = self.job.claim(root)
            if claim is not None:
                claim.release()

    def check_reachable(self) -> None:
        """Check that another process can reach all places.

        Raises
        ------
        ValueError
            If one of them lives in the memory of this process.
        """
        temps = [job.temp.path for job in self.job.jobs if job.temp is not None]
        for place in (self.job.place, *temps, *self.job.hierarchy.origins):
            if is_process_local(place.store):
                raise ValueError(
                    f"{place} lives in the memory of this process, so a copy of the plan in "
                    "another process would read and write a copy of the data; use a path or a URL"
                )

    def planned_for(self, workers: int | None, threads: int | None) -> TargetJob:
        """Return the target as planned for other numbers of workers and threads, where given."""
        now = self.job.parallelism
        wanted = now._replace(workers=workers or now.workers, threads=threads or now.threads)
        return self.job if wanted == now else self.plan(wanted)

    def repeated(self) -> Run:
        """Return the run that may replace what an earlier one of this plan has published."""
        return replace(self, job=replace(self.job, again=True))

    def can_go_on(self) -> bool:
        """Return whether there is something that another run can go on with."""
        try:
            return self._recorded() is not None
        except Exception:  # noqa: BLE001 - the error of the run says more
            return False

    def continued(self, *, verify: bool) -> Run:
        """Return the run that goes on with what an earlier one has left in the target.

        The earlier one may have been planned for a computer with another number of cores.

        Parameters
        ----------
        verify
            Whether the target is to be verified.

        Raises
        ------
        ResumeError
            If it is the run of another plan.
        """
        recorded = self._recorded()
        if recorded is None:
            return self
        job, parallelism = self.job, Parallelism.recorded(recorded)
        if parallelism not in (None, job.parallelism):
            planned = self.plan(parallelism)
            job = replace(planned, run=job.run, settings=job.settings, again=job.again)
        check_facts(recorded, job.facts(verify=verify), job.place)
        return self if job is self.job else replace(self, job=job)

    def _recorded(self) -> Mapping[str, Any] | None:
        """Return the facts of the run that has left a journal; None if there is none."""
        return None if self.job.journal is None else self.job.journal.facts()
