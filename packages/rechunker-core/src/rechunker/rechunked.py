"""The result of `rechunk()`: a planned rechunking, ready to be executed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol

from zarr.storage import StorePath

from rechunker.pictures import ArrayFigures, PlanFigures, Shown, in_a_line
from rechunker.planning import RechunkPlan, StagePlan
from rechunker.report import Report
from rechunker.running import check_numbers, in_thread
from rechunker.stores import TargetInUseError, secrets_hidden, without_secrets
from rechunker.types import Changes, CopySpec, Executor, Traffic

__all__ = ["Intermediate", "Rechunked"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Target = TypeVar("Target", default=Any)
    Target_co = TypeVar("Target_co", covariant=True)
else:
    from typing import TypeVar

    Target = TypeVar("Target")  # a default needs Python 3.13
    Target_co = TypeVar("Target_co", covariant=True)


class Run(Protocol[Target_co]):
    """What a `Rechunked` needs to execute its plan; see `rechunker.jobs.Run`."""

    @property
    def copy_plan(self) -> dict[str, RechunkPlan]: ...
    @property
    def predicted(self) -> Mapping[str, StagePlan]: ...
    @property
    def figures(self) -> tuple[ArrayFigures, ...]: ...
    @property
    def seconds(self) -> float: ...
    def digests(self, sums: Iterable[tuple[str, int]]) -> Mapping[str, str]: ...
    def specs(self, *, verify: bool = False) -> Iterator[CopySpec]: ...
    def held(self, *, resume: bool) -> AbstractContextManager[None]: ...
    def gather(self, changes: Iterable[Changes]) -> None: ...
    def open(self) -> Target_co: ...
    def continued(self, *, verify: bool) -> Run[Target_co]: ...
    def repeated(self) -> Run[Target_co]: ...
    def can_go_on(self) -> bool: ...
    def planned_for(self, workers: int | None, threads: int | None) -> Any: ...
    def give_free(self) -> None: ...
    def check_reachable(self) -> None: ...


@dataclass(frozen=True)
class Intermediate:
    """Location of the temporary objects, and the number of hops of each array through them.

    Parameters
    ----------
    path
        Location in a store.
    hops
        Number of copies through temporary objects, by name of the array.
    """

    path: StorePath
    hops: Mapping[str, int]

    def __repr__(self) -> str:
        times = max(self.hops.values())
        return f"<Intermediate {without_secrets(self.path)} hops={times}>"


class Rechunked(Shown, Generic[Target]):
    """A planned rechunking. `execute` runs it; its repr says what will happen.

    Notebooks show the chunks of source, temporary objects and target as drawings.

    Users get it from `rechunker.rechunk` and need not create one.

    Parameters
    ----------
    executor
        Executor that runs the plan.
    plan
        Plan in the executor's own form: a function, a Dask object, a Beam transform, a Prefect
        flow.
    source
        Array, group or dataset that is read.
    intermediate
        Location of the temporary objects; None if the plan needs none.
    target
        Array or group that will be written. Its metadata is written last, so nobody can open it
        before `execute` is done.
    run
        Holds the target while the plan runs, opens it at the end, and finds what is left of an
        earlier run. By default nothing of this is done, and `execute` returns `target`.
    left_out
        Paths of arrays of the source that are not copied.

    Attributes
    ----------
    executor, plan, source, intermediate, target, left_out
        As passed.
    copy_plan
        Plan of the stages of each array, by its name; the name is ``""`` if the source is an array.
    traffic
        Total traffic of all tasks; None before `execute` and if the executor does not count it.
    report
        What the last complete execution did, stage by stage, next to what was predicted; None
        before.
    """

    def __init__(
        self,
        executor: Executor[Any],
        plan: Any,
        source: Any,
        intermediate: Intermediate | None,
        target: Target,
        *,
        run: Run[Target] | None = None,
        left_out: Iterable[str] = (),
    ) -> None:
        self.executor = executor
        self._plan = plan
        self.source = source
        self.intermediate = intermediate
        self.target = target
        self.traffic: Traffic | None = None
        self.report: Report | None = None
        self.left_out = tuple(left_out)
        self.copy_plan = dict(run.copy_plan) if run is not None else {}
        self._run = run
        self._shown = run
        self._executed = False  # so that the target may be what this plan has published

    @property
    def plan(self) -> Any:
        """The plan in the executor's own form."""
        if self._plan is None and self._run is not None:  # this is a copy in another process
            with secrets_hidden():
                self._plan = self.executor.prepare_plan(self._run.specs())
        return self.executor.renewed_plan(self._plan)

    def __getstate__(self) -> dict[str, Any]:
        if self._run is None:
            return self.__dict__
        with secrets_hidden():
            self._run.check_reachable()
        return {**self.__dict__, "_plan": None}  # the other process makes a plan of its own

    async def execute_async(self, **kwargs: Any) -> Target:
        """Do the same as `execute`, while the event loop goes on with other things.

        If it is cancelled, the tasks that run are waited for, and no other one begins.

        Parameters
        ----------
        **kwargs
            Arguments of `execute`.

        Returns
        -------
        zarr.Array or zarr.Group
            The target, opened.
        """
        stop = (lambda: None) if self._run is None else self._run.give_free
        return await in_thread(partial(self.execute, **kwargs), stop)

    def execute(self, *, resume: bool = False, verify: bool = False, **kwargs: Any) -> Target:
        """Run the plan and return the target. After a failure, it may be called again.

        Parameters
        ----------
        resume
            Whether to go on with what an earlier run of the same plan has left in the target,
            whether that run failed, was killed, or ran on another computer. Tasks that it has done
            are not run again. Where there is nothing to go on with, the plan is run from the start.
        verify
            Whether to read the target before it is published, and to publish it only if its values
            are, bit for bit, those that were read from the source.
        **kwargs
            Arguments for the executor. All executors of the Rechunker project accept `retries`,
            the number of times to retry a failed task, and `progress`: True for a progress bar,
            or a function that is called whenever tasks are done, with the number of tasks done, the
            number of tasks in total, and the decoded bytes read and written so far.

        Returns
        -------
        zarr.Array or zarr.Group
            The target, opened.

        Raises
        ------
        TypeError
            If the executor does not accept a keyword argument.
        ImportError
            If `progress` is True and tqdm is not installed.
        ResumeError
            If the target holds an unfinished run with other arguments; the message says which.
        TargetInUseError
            If another run writes to the target.
        VerificationError
            If `verify` is true, and the target is not equal to the source.
        Exception
            The error of a task that failed; the target then has no metadata and cannot be opened.
        """
        for name, value in (("resume", resume), ("verify", verify)):
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, got {value!r}")
        run, plan = self._run, self.plan
        if run is not None and self._executed:
            run = run.repeated()
        if run is not None and resume:
            run = run.continued(verify=verify)
        if run is not None and (verify or run is not self._run):
            plan = self.executor.prepare_plan(run.specs(verify=verify))
            self.copy_plan, self._shown = run.copy_plan, run
        began, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
        held = nullcontext() if run is None else run.held(resume=resume)
        with secrets_hidden(), self._executing(run), held:
            traffic = self.executor.execute_plan(plan, **kwargs)
            changes = traffic.changes if isinstance(traffic, Traffic) else ()
            if run is not None:
                run.gather(changes)
        self.traffic = replace(traffic, changes=()) if isinstance(traffic, Traffic) else None
        if run is not None:
            self.target = run.open()
        sums = () if self.traffic is None else self.traffic.sums
        self.report = Report.of(
            self.traffic,
            {} if run is None else run.predicted,
            executor=self.executor,
            began=began,
            seconds=time.perf_counter() - clock,
            digests={} if run is None else run.digests(sums),
        )
        return self.target

    @contextmanager
    def _executing(self, run: Run[Target] | None) -> Iterator[None]:
        """Note that the plan is executed, unless it ends because of what others have done."""
        before, self._executed = self._executed, True
        try:
            yield
        except (FileExistsError, TargetInUseError):
            self._executed = before
            raise
        except BaseException as error:
            if run is not None and run.can_go_on():
                error.add_note("execute(resume=True) goes on with what was done")
            raise

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        verify: bool = False,
        workers: int | None = None,
        threads: int | None = None,
    ) -> Path:
        """Save the plan in a file, so that any process on any computer can run tasks of it.

        `rechunker.load` opens it. The file is JSON: places, plan and metadata, no code and no
        credentials. Nothing else is written.

        Parameters
        ----------
        path
            File to write, which must not exist.
        verify
            As for `execute`.
        workers
            Number of tasks that are expected to run at a time, in all processes together. By
            default the `workers` of the executor.
        threads
            Maximum number of reads or writes that one task has in flight. By default the `threads`
            of the executor.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ValueError
            If a place lives in the memory of this process, a source is computed by Dask, or the
            target cannot list and delete objects.
        FileExistsError
            If there is such a file.
        """
        from rechunker.saving import save  # few save, and it takes many modules

        check_numbers(workers=workers, threads=threads)
        if self._run is None:
            raise ValueError("this plan has no target, so it cannot be saved; use rechunk()")
        with secrets_hidden():
            return save(self._run.planned_for(workers, threads), path, verify=verify)

    def _figures(self) -> PlanFigures:
        run, report = self._shown, self.report
        executed = "no" if report is None else f"in {report.seconds:.3g} seconds, {report.began}"
        return PlanFigures(
            "Rechunked",
            tuple(self._places()),
            () if run is None else run.figures,
            0.0 if run is None else run.seconds,
            executed,
            self.left_out,
        )

    def _places(self) -> Iterator[tuple[str, str]]:
        """Yield what source, intermediate and target are called, without credentials."""
        between = [("Intermediate", self.intermediate)] if self.intermediate else []
        for name, place in (("Source", self.source), *between, ("Target", self.target)):
            yield name, in_a_line(without_secrets(repr(place)))
