"""Executors that break the contract in one way each, and one that does all that it allows."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from threading import Lock
from typing import Any

from rechunker.running import (
    BatchRunner,
    Execution,
    Progress,
    Reporter,
    batches,
    refuse_keywords,
    reporter,
)
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

Plan = Sequence[Sequence[Stage]]


class Faultless(Executor[Plan]):
    """Run tasks in threads, as the contract asks."""

    shares_memory = True
    workers = 2
    threads_of_pool = 2

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        return rounds(specs)

    def execute_plan(self, plan: Plan, progress: Progress = None, **kwargs: Any) -> Traffic:
        refuse_keywords("faultless", kwargs, ("progress",))
        with reporter(progress, plan) as report:
            total = Traffic()
            pool = ThreadPoolExecutor(self.threads_of_pool)
            self.runner = BatchRunner(execution=Execution())
            try:
                for stages in plan:
                    for future in self.ended(self.begun(pool, stages)):
                        total += future.result()
                        self.tell(report, future.result())
            except BaseException:
                self.give_up(pool)
                raise
            pool.shutdown()
            return total

    def tell(self, report: Reporter, traffic: Traffic) -> None:
        """Report what a batch has done."""
        report(traffic)

    def begun(self, pool: ThreadPoolExecutor, stages: Sequence[Stage]) -> list[Future[Traffic]]:
        """Begin a round."""
        return [
            pool.submit(self.call, stage, tasks)
            for stage in stages
            for tasks in batches(stage, overhead=1e-3, workers=self.workers)
        ]

    def ended(self, futures: Sequence[Future[Traffic]]) -> Iterable[Future[Traffic]]:
        """Yield the calls of a round when they have ended."""
        return as_completed(futures)

    def call(self, stage: Stage, tasks: range) -> Traffic:
        return self.runner(stage, tasks)

    def give_up(self, pool: ThreadPoolExecutor) -> None:
        assert self.runner.execution is not None
        self.runner.execution.end()
        pool.shutdown()


class RunsTasksTwice(Faultless):
    """Run every task twice at the same time, and count it once: this is allowed."""

    workers = 4

    def call(self, stage: Stage, tasks: range) -> Traffic:
        with ThreadPoolExecutor(2) as pool:
            first, _ = pool.map(self.runner, [stage, stage], [tasks, tasks])
        return first


class HasMoreWorkers(Faultless):
    threads_of_pool = 4


class HasWorkersForEachStage(Faultless):
    def begun(self, pool: ThreadPoolExecutor, stages: Sequence[Stage]) -> list[Future[Traffic]]:
        every: list[Future[Traffic]] = []
        for stage in stages:
            every += super().begun(ThreadPoolExecutor(self.workers), [stage])
        return every


class LetsTasksRunOn(Faultless):
    def give_up(self, pool: ThreadPoolExecutor) -> None:
        pool.shutdown(wait=False, cancel_futures=True)


class LetsTasksBegin(Faultless):
    def give_up(self, pool: ThreadPoolExecutor) -> None:
        pool.shutdown(wait=False)


class CancelsNothing(Faultless):
    def give_up(self, pool: ThreadPoolExecutor) -> None:
        pool.shutdown()


class IgnoresRetries(Faultless):
    def execute_plan(
        self, plan: Plan, progress: Progress = None, retries: int = 0, **kwargs: Any
    ) -> Traffic:
        return super().execute_plan(plan, progress, **kwargs)


class IgnoresKeywords(Faultless):
    def execute_plan(self, plan: Plan, progress: Progress = None, **kwargs: Any) -> Traffic:
        return super().execute_plan(plan, progress)


class IgnoresProgress(Faultless):
    def execute_plan(self, plan: Plan, progress: Progress = None, **kwargs: Any) -> Traffic:
        return super().execute_plan(plan, **kwargs)


class GoesOnAfterTheUsersError(Faultless):
    def tell(self, report: Reporter, traffic: Traffic) -> None:
        with suppress(Exception):
            report(traffic)


class RefusesProgressLate(Faultless):
    def execute_plan(self, plan: Plan, progress: Progress = None, **kwargs: Any) -> Traffic:
        traffic = super().execute_plan(plan, **kwargs)
        with reporter(progress, plan) as report:
            report(traffic)
        return traffic


class HidesErrors(Faultless):
    def call(self, stage: Stage, tasks: range) -> Traffic:
        with suppress(ValueError):
            return super().call(stage, tasks)
        return Traffic()


class DropsMessages(Faultless):
    def call(self, stage: Stage, tasks: range) -> Traffic:
        try:
            return super().call(stage, tasks)
        except RuntimeError:
            raise RuntimeError("a task has failed") from None


class GoesOnAfterErrors(Faultless):
    def execute_plan(self, plan: Plan, progress: Progress = None, **kwargs: Any) -> Traffic:
        errors: list[Exception] = []
        for stages in plan:
            try:
                super().execute_plan([stages], **kwargs)
            except ValueError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return Traffic()


class HasNoBarrier(Faultless):
    def ended(self, futures: Sequence[Future[Traffic]]) -> Iterator[Future[Traffic]]:
        yield from futures[:1]


class MissesTheLastTask(Faultless):
    def call(self, stage: Stage, tasks: range) -> Traffic:
        return super().call(stage, tasks[:-1] if tasks.stop == len(stage) else tasks)


class CountsTwice(Faultless):
    def call(self, stage: Stage, tasks: range) -> Traffic:
        done = super().call(stage, tasks)
        return done + done


class RunsWhenItPlans(Faultless):
    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        plan = rounds(specs)
        self.execute_plan(plan)
        return plan


class RunsPlansOnce(Faultless):
    def prepare_plan(self, specs: Iterable[CopySpec]) -> Any:
        return iter(rounds(specs))


class KeepsALock(Faultless):
    """Have an attribute that cannot be sent to another process."""

    def __init__(self) -> None:
        self.lock = Lock()


class DoesNotShareMemory(Faultless):
    """Say that memory is shared, but work on copies, as processes do."""

    def call(self, stage: Stage, tasks: range) -> Traffic:
        return super().call(pickle.loads(pickle.dumps(stage)), tasks)
