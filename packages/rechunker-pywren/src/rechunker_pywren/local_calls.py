"""Calls on pywren's local executor; all that is used of it beside its published methods is here.

It was looked up in pywren-ibm-cloud 1.7.3. That release, left to itself, takes a sixth of a second
over each call, may never end where one executor is used twice, never ends where a worker has died,
and leaves hundreds of threads.
"""

from __future__ import annotations

import copy
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any, NoReturn
from uuid import uuid4

from rechunker.running import batches
from rechunker.types import Stage, Traffic
from rechunker_pywren.calls import Call, LostWorkerError, Run, in_parts, run_batch

__all__ = ["LocalCalls", "LocalEngine", "close", "is_local", "split"]

# What a call takes, measured; it also leaves five files until the end.
CALL_SECONDS = 0.004
MOST = 500
POLL_SECONDS = 0.01
# A call that lasts too long is not stopped, only left alone, while its worker starts the next one.
NEVER = 10**8


def is_local(function_executor: Any) -> bool:
    """Say whether something is pywren's executor for processes of this machine."""
    module = sys.modules.get("pywren_ibm_cloud.executor")  # without it there is no such executor
    return (
        module is not None
        and isinstance(function_executor, module.FunctionExecutor)
        and function_executor.config["pywren"]["compute_backend"] == "localhost"
    )


def split(stage: Stage, workers: int) -> tuple[range, ...]:
    """Return the tasks of a stage in ranges that are worth a call of a local executor."""
    return batches(stage, overhead=CALL_SECONDS, workers=workers, most=MOST)


def close(function_executor: Any) -> None:
    """End the workers of a local executor, which itself ends them at some later time."""
    backend = _backend(function_executor)
    backend.close()
    for worker in backend.workers:
        worker.join()


@dataclass(frozen=True)
class LocalEngine:
    """Runs calls on a local executor that somebody has made.

    Parameters
    ----------
    function_executor
        The executor, which is left open, and as it was.
    """

    function_executor: Any

    def __reduce__(self) -> NoReturn:
        raise TypeError("plans for a local executor of pywren do not pickle, as it does not either")

    def split(self, stage: Stage, workers: int) -> tuple[range, ...]:
        return split(stage, workers)

    @contextmanager
    def start(self, retries: int) -> Iterator[Run]:
        """Give what runs calls; an executor that has lost a worker cannot run them again."""
        yield self._run

    def _run(self, calls: Sequence[Call]) -> Iterator[Traffic]:
        local = LocalCalls(self.function_executor, calls)
        try:
            for _, outcome in local.outcomes(time.sleep):
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome
        except LostWorkerError as error:
            raise LostWorkerError(
                f"{error}; the function executor is of no use any more, make a new one"
            ) from None
        finally:
            local.withdraw()


class LocalCalls:
    """Calls that a local executor runs.

    Parameters
    ----------
    function_executor
        The executor.
    calls
        The calls.
    """

    def __init__(self, function_executor: Any, calls: Sequence[Call]) -> None:
        self._executor = _own_view(function_executor)
        self._backend = _backend(function_executor)
        self._storage = function_executor.internal_storage
        self._calls = calls
        self._futures: list[Any] = []

    def outcomes(self, pause: Callable[[float], None]) -> Iterator[tuple[int, Traffic | Exception]]:
        """Run all calls; yield the place of each among the calls, and what came of it.

        Parameters
        ----------
        pause
            Called with seconds to wait, time and again.

        Raises
        ------
        LostWorkerError
            If a worker has died. Others wait for what it held, and may do so for ever.
        """
        for part in in_parts(self._calls):
            arguments = [call.arguments for call in part]
            self._futures += self._executor.map(
                run_batch, arguments, include_modules=None, timeout=NEVER
            )
        # Workers take calls in their order, so that those which run are always the first ones.
        waiting = iter(enumerate(self._futures))
        running = dict(islice(waiting, len(self._backend.workers)))
        while running:
            ended = [number for number, future in running.items() if self._has_ended(future)]
            for number in ended:
                yield number, self._outcome(running.pop(number))
            running.update(islice(waiting, len(ended)))
            if not ended:
                self._check_workers()
                pause(POLL_SECONDS)

    def withdraw(self) -> None:
        """Take back calls that wait, see those to their end that run, remove what was stored."""
        left = [future for future in self._futures if not self._has_ended(future)]
        if left:
            taken = self._take_back()
            self._await([f for f in left if (f.job_id, f.call_id) not in taken])
        self._remove()

    def _has_ended(self, future: Any) -> bool:
        # What the worker has not written to the end is no JSON yet.
        with suppress(ValueError):
            place = (future.executor_id, future.job_id, future.call_id)
            return self._storage.get_call_status(*place) is not None
        return False

    def _outcome(self, future: Any) -> Traffic | Exception:
        future.status(throw_except=False, internal_storage=self._storage)
        if future.error:
            error: Exception = future._exception[1]
            text = "".join(traceback.format_exception(*future._exception))
            error.add_note(f"In a worker of pywren:\n{text}")
            return error
        traffic: Traffic = future.result(internal_storage=self._storage)
        return traffic

    def _check_workers(self) -> None:
        for worker in self._backend.workers:
            if not worker.is_alive():
                code = getattr(worker, "exitcode", None)
                raise LostWorkerError(f"a worker process of pywren has died (exit code {code})")

    def _take_back(self) -> set[tuple[str, str]]:
        """Take all calls from the queue of the workers, and put back those of others."""
        queue, events = self._backend.queue, []
        with suppress(Empty):
            while True:
                events.append(queue.get(timeout=POLL_SECONDS))
        ours, taken = self._executor.executor_id, set()
        for event in events:
            if event is not None and event["executor_id"] == ours:
                taken.add((event["job_id"], event["call_id"]))
            else:
                queue.put(event)
        return taken

    def _await(self, futures: Sequence[Any]) -> None:
        with suppress(LostWorkerError):
            for future in futures:
                while not self._has_ended(future):
                    self._check_workers()
                    time.sleep(POLL_SECONDS)

    def _remove(self) -> None:
        config = sys.modules["pywren_ibm_cloud.config"]  # there is no executor without it
        storage, bucket = self._executor.storage, self._storage.bucket
        prefix = f"{config.JOBS_PREFIX}/{self._executor.executor_id}"
        storage.delete_objects(bucket, storage.list_keys(bucket, prefix))
        # Workers have a folder on this machine, wherever the storage is.
        shutil.rmtree(os.path.join(config.STORAGE_FOLDER, bucket, prefix), ignore_errors=True)


def _backend(function_executor: Any) -> Any:
    """Return what holds the worker processes and their queue."""
    return function_executor.invoker.compute_handlers[0].compute_handler


def _own_view(function_executor: Any) -> Any:
    """Return a copy of an executor with the same workers, and jobs of its own.

    Its calls go to the queue of the workers at once. Pywren would have other processes hand out
    those that exceed the number of workers, whenever threads have seen that there is a free one.
    """
    invoker = copy.copy(function_executor.invoker)
    invoker.workers = 0  # all calls exceed it, and are put where they would wait
    invoker.pending_calls_q = SimpleNamespace(put=lambda item: invoker._invoke(*item))
    invoker.token_bucket_q = SimpleQueue()
    invoker.running_flag = SimpleNamespace(value=1)  # the other processes need not be started
    invoker.job_monitor = SimpleNamespace(start_job_monitoring=lambda job: None)
    # Pywren looks for this in a file in the home folder, which may be that of another Python.
    invoker.select_runtime = lambda job_id, memory: {"preinstalls": [["rechunker_pywren", True]]}
    view = copy.copy(function_executor)
    view.invoker, view.futures = invoker, []
    view.executor_id = f"rechunker-{uuid4().hex}"
    return view
