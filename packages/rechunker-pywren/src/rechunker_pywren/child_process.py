"""Engine that starts a child process, in which `child_program` runs the calls with pywren."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from typing import cast

from rechunker.types import Stage, Traffic
from rechunker_pywren.calls import Call, LostWorkerError, Run
from rechunker_pywren.child_program import Reply
from rechunker_pywren.local_calls import split

__all__ = ["ChildProcessEngine"]

BOOT = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from rechunker_pywren.child_program import main; main()"
)
# Seconds that the child process has to end its workers and itself before all of them are killed.
GRACE = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChildProcessEngine:
    """Engine with a child process and pywren workers for each execution of a plan.

    Parameters
    ----------
    workers
        Number of worker processes that the child process starts.
    """

    workers: int

    def split(self, stage: Stage, workers: int) -> tuple[range, ...]:
        return split(stage, workers)

    @contextmanager
    def start(self, retries: int) -> Iterator[Run]:
        """Start the child process; end it and all its workers when the context ends.

        Parameters
        ----------
        retries
            Number of times to run a call again when the process that ran it has died.
        """
        with ExitStack() as stack:
            yield _ReplaceableChild(self.workers, retries, stack).run


class _ReplaceableChild:
    """A child process that is replaced by a new one when a worker has died."""

    def __init__(self, workers: int, retries: int, stack: ExitStack) -> None:
        self._workers = workers
        self._retries = retries
        self._stack = stack
        self._child = stack.enter_context(_started_child(workers))
        self._losses: Counter[Call] = Counter()

    def run(self, calls: Sequence[Call]) -> Generator[Traffic, None, None]:
        """Run calls; when a worker has died, run the calls that are not done again.

        Raises
        ------
        LostWorkerError
            If a call was lost with a worker more often than `retries` allows.
        Exception
            The error of a task that failed after all its retries.
        """
        left = list(calls)
        while left:
            done: set[int] = set()
            try:
                for number, traffic in self._child.run(left):
                    done.add(number)
                    yield traffic
            except LostWorkerError as error:
                left = [call for number, call in enumerate(left) if number not in done]
                # Workers take calls in order, so the lost ones are among the first that are left.
                self._replace(error, running=left[: self._workers])
            else:
                return

    def _replace(self, error: LostWorkerError, running: Sequence[Call]) -> None:
        self._losses.update(running)
        message = f"{error}, while these calls ran: {'; '.join(map(str, running))}"
        if any(self._losses[call] > self._retries for call in running):
            raise LostWorkerError(
                f"{message}. If memory ran out, reduce max_mem or the number of workers; "
                f"execute(retries={self._retries + 1}) runs lost calls once more"
            ) from None
        log.warning("%s; running these calls again", message)
        self._stack.close()
        self._child = self._stack.enter_context(_started_child(self._workers))


class _Child:
    """The child process, and the pipes to it."""

    def __init__(self) -> None:
        # A session of its own: it can be killed as a group, and Control-C in a terminal does not
        # reach it or its workers.
        self._process = subprocess.Popen(
            [sys.executable, "-c", BOOT, *map(str, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._requests = cast("BufferedWriter", self._process.stdin)
        self._replies = cast("BufferedReader", self._process.stdout)

    def send(self, request: object) -> None:
        """Send a pickled object to the standard input of the child process."""
        try:
            pickle.dump(request, self._requests)
            self._requests.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def run(self, calls: Sequence[Call]) -> Iterator[tuple[int, Traffic]]:
        """Run calls; yield the index of each call and its traffic, in any order."""
        self.send(calls)
        for _ in calls:
            number, outcome = self._receive()
            if isinstance(outcome, Exception):
                raise outcome
            yield number, outcome

    def close(self) -> None:
        """End the child process and its workers, even if they are busy."""
        try:
            with suppress(BrokenPipeError):
                self._requests.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
        finally:
            if self._process.returncode != 0:  # it, or some of its workers, may still run
                _kill_group(self._process.pid)
                self._process.wait()
            self._replies.close()

    def _receive(self) -> Reply:
        if not self._replies.peek(1):  # the child process has closed its end
            raise self._ended()
        reply: Reply = pickle.load(self._replies)
        return reply

    def _ended(self) -> LostWorkerError:
        code = self._process.wait()
        return LostWorkerError(
            f"the process that runs pywren has died (exit code {code}; see the standard error of "
            "this program)"
        )


@contextmanager
def _started_child(workers: int) -> Iterator[_Child]:
    # Workers that have to be killed may write to the folder while it is removed: ignore errors.
    with tempfile.TemporaryDirectory(prefix="rechunker-", ignore_cleanup_errors=True) as folder:
        child = _Child()
        try:
            child.send((folder, workers))
            yield child
        finally:
            child.close()


def _kill_group(leader: int) -> None:
    """Kill the processes of a group, and wait up to `GRACE` seconds until they are gone."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
        until = time.monotonic() + GRACE
        while time.monotonic() < until:
            time.sleep(0.01)
            os.killpg(leader, 0)
