"""Calls on pywren's local executor, and all use of pywren's internal and private names.

The names were looked up in pywren-ibm-cloud 1.7.3. The public methods of that release take a sixth
of a second per call, may hang when an executor is used twice, hang when a worker has died, and
leave hundreds of threads behind.
"""

from __future__ import annotations

import copy
import importlib
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
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
from rechunker_pywren.legacy_modules import legacy_modules

__all__ = ["LocalCalls", "LocalExecutorEngine", "close", "import_pywren", "is_local", "split"]

# Measured overhead of pywren per call. Each call also has five files until the plan ends.
CALL_SECONDS = 0.004
MOST = 500
POLL_SECONDS = 0.01
# Time limit of a call in seconds: practically none. Pywren does not stop a call that exceeds its
# limit; it abandons the call, which runs on, and its worker starts the next one.
NEVER = 10**8


def import_pywren() -> Any:
    """Import pywren, and the modules that it would import later, with stand-ins for removed ones.

    Returns
    -------
    module
        The package ``pywren_ibm_cloud``.
    """
    with legacy_modules():
        importlib.import_module("pywren_ibm_cloud.compute.backends.localhost")
        return importlib.import_module("pywren_ibm_cloud")


def is_local(function_executor: Any) -> bool:
    """Return whether an object is pywren's executor for processes of this machine.

    Parameters
    ----------
    function_executor
        Any object.
    """
    module = sys.modules.get("pywren_ibm_cloud.executor")  # nobody has made one without this module
    return (
        module is not None
        and isinstance(function_executor, module.FunctionExecutor)
        and function_executor.config["pywren"]["compute_backend"] == "localhost"
    )


def split(stage: Stage, workers: int) -> tuple[range, ...]:
    """Split the tasks of a stage into batches, each for one call of a local executor.

    Parameters
    ----------
    stage
        The stage.
    workers
        Number of calls that are expected to run at a time.
    """
    return batches(stage, overhead=CALL_SECONDS, workers=workers, most=MOST)


def close(function_executor: Any) -> None:
    """End the workers of a local executor now; pywren itself ends them at exit.

    Parameters
    ----------
    function_executor
        Local executor of pywren. It cannot be used any more.
    """
    backend = _backend(function_executor)
    backend.close()
    for worker in backend.workers:
        worker.join()


@dataclass(frozen=True)
class LocalExecutorEngine:
    """Engine for a local executor of pywren that the user has made.

    Parameters
    ----------
    function_executor
        Local executor of pywren. It stays open and unchanged.
    """

    function_executor: Any

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "plans for a local executor of pywren do not pickle, since the executor does not; use "
            "PywrenExecutor() without a function executor"
        )

    def split(self, stage: Stage, workers: int) -> tuple[range, ...]:
        return split(stage, workers)

    @contextmanager
    def start(self, retries: int) -> Iterator[Run]:
        """Yield a function that runs calls.

        Parameters
        ----------
        retries
            Not used: an executor that has lost a worker cannot run calls any more.
        """
        yield self._run

    def _run(self, calls: Sequence[Call]) -> Generator[Traffic, None, None]:
        local = LocalCalls(self.function_executor, calls)
        try:
            for _, outcome in local.outcomes(time.sleep):
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome
        except LostWorkerError as error:
            raise LostWorkerError(
                f"{error}; the function executor cannot run calls any more, make a new one"
            ) from None
        finally:
            local.withdraw()


class LocalCalls:
    """Some calls on a local executor of pywren.

    Parameters
    ----------
    function_executor
        Local executor of pywren. It stays open and unchanged.
    calls
        The calls to run.
    """

    def __init__(self, function_executor: Any, calls: Sequence[Call]) -> None:
        self._executor = _own_view(function_executor)
        self._backend = _backend(function_executor)
        self._storage = function_executor.internal_storage
        self._calls = calls
        self._futures: list[Any] = []

    def outcomes(self, pause: Callable[[float], None]) -> Iterator[tuple[int, Traffic | Exception]]:
        """Run all calls; yield the index of each call, and its traffic or its error.

        Parameters
        ----------
        pause
            Called with a number of seconds to wait, such as `time.sleep`.

        Raises
        ------
        LostWorkerError
            If a worker has died. The other workers may wait for ever for a lock that it held.
        """
        for part in in_parts(self._calls):
            arguments = [call.arguments for call in part]
            self._futures += self._executor.map(
                run_batch, arguments, include_modules=None, timeout=NEVER
            )
        # Workers take calls in order: the calls that run are the first ones that have not ended.
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
        """Cancel the calls that wait, await those that run, and remove all stored data."""
        left = [future for future in self._futures if not self._has_ended(future)]
        if left:
            taken = self.cancel()
            self._await([f for f in left if (f.job_id, f.call_id) not in taken])
        self._remove()

    def cancel(self) -> set[tuple[str, str]]:
        """Take the calls that wait from the workers' queue, where those of other jobs stay.

        Returns
        -------
        set of tuple
            Job id and call id of each call that was taken.
        """
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

    def _has_ended(self, future: Any) -> bool:
        # A status that the worker is still writing is not valid JSON: ValueError.
        with suppress(ValueError):
            place = (future.executor_id, future.job_id, future.call_id)
            return self._storage.get_call_status(*place) is not None
        return False

    def _outcome(self, future: Any) -> Traffic | Exception:
        future.status(throw_except=False, internal_storage=self._storage)
        if future.error:
            # Private in pywren-ibm-cloud 1.7.3; with throw_except=True pywren would replace
            # sys.excepthook.
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

    def _await(self, futures: Sequence[Any]) -> None:
        with suppress(LostWorkerError):
            for future in futures:
                while not self._has_ended(future):
                    self._check_workers()
                    time.sleep(POLL_SECONDS)

    def _remove(self) -> None:
        config = sys.modules["pywren_ibm_cloud.config"]  # imported by every executor
        storage, bucket = self._executor.storage, self._storage.bucket
        prefix = f"{config.JOBS_PREFIX}/{self._executor.executor_id}"
        storage.delete_objects(bucket, storage.list_keys(bucket, prefix))
        # Workers also have a local folder, even if the storage is elsewhere.
        shutil.rmtree(os.path.join(config.STORAGE_FOLDER, bucket, prefix), ignore_errors=True)


def _backend(function_executor: Any) -> Any:
    """Return pywren's local backend, which holds the worker processes and their queue."""
    return function_executor.invoker.compute_handlers[0].compute_handler


def _own_view(function_executor: Any) -> Any:
    """Return a copy of an executor that shares its workers and has jobs of its own.

    The copy puts all calls into the workers' queue at once. Pywren 1.7.3 itself puts only as many
    as there are workers; extra processes submit the others when monitoring threads have found a
    free worker.
    """
    invoker = copy.copy(function_executor.invoker)
    invoker.workers = 0  # so that every call goes to `pending_calls_q`, which is replaced here
    invoker.pending_calls_q = SimpleNamespace(put=lambda item: invoker._invoke(*item))
    invoker.token_bucket_q = SimpleQueue()
    invoker.running_flag = SimpleNamespace(value=1)  # so that no extra processes are started
    invoker.job_monitor = SimpleNamespace(start_job_monitoring=lambda job: None)
    # Pywren reads this from a file in the home folder, which another Python may have written.
    invoker.select_runtime = lambda job_id, memory: {"preinstalls": [["rechunker_pywren", True]]}
    view = copy.copy(function_executor)
    view.invoker, view.futures = invoker, []
    view.executor_id = f"rechunker-{uuid4().hex}"
    return view
