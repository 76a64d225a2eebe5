"""Calls on a local executor of pywren that lives in a process of its own, that of `host`."""

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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from typing import cast

from rechunker.types import Stage, Traffic
from rechunker_pywren.calls import Call, LostWorkerError, Run
from rechunker_pywren.host import Reply
from rechunker_pywren.local import split

__all__ = ["HostedEngine"]

BOOT = "import sys; sys.path[:] = sys.argv[1:]; from rechunker_pywren.host import main; main()"
# Seconds that the process has to end its workers and itself, before all of them are killed.
GRACE = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HostedEngine:
    """Runs calls on a local executor that is made for one execution of a plan.

    Parameters
    ----------
    workers
        Number of worker processes.
    """

    workers: int

    def split(self, stage: Stage, workers: int) -> tuple[range, ...]:
        return split(stage, workers)

    @contextmanager
    def start(self, retries: int) -> Iterator[Run]:
        """Start pywren, and end it with all of its processes."""
        with ExitStack() as stack:
            yield _Hosts(self.workers, retries, stack).run


class _Hosts:
    """A process that runs pywren, and one that takes its place when a worker is lost."""

    def __init__(self, workers: int, retries: int, stack: ExitStack) -> None:
        self._workers = workers
        self._retries = retries
        self._stack = stack
        self._host = stack.enter_context(_hosted(workers))
        self._losses: Counter[Call] = Counter()

    def run(self, calls: Sequence[Call]) -> Iterator[Traffic]:
        """Run calls, and those anew that were not done when a worker was lost."""
        left = list(calls)
        while left:
            done: set[int] = set()
            try:
                for number, traffic in self._host.run(left):
                    done.add(number)
                    yield traffic
            except LostWorkerError as error:
                left = [call for number, call in enumerate(left) if number not in done]
                # Calls are taken up in order.
                self._replace(error, running=left[: self._workers])
            else:
                return

    def _replace(self, error: LostWorkerError, running: Sequence[Call]) -> None:
        self._losses.update(running)
        message = f"{error}, while these calls ran: {'; '.join(map(str, running))}"
        if any(self._losses[call] > self._retries for call in running):
            raise LostWorkerError(
                f"{message}. If memory ran out, a smaller max_mem or fewer workers will do; "
                "execute(retries=1) would run these calls once more"
            ) from None
        log.warning("%s; they are run again", message)
        self._stack.close()
        self._host = self._stack.enter_context(_hosted(self._workers))


class _Host:
    """The other process, as it is seen from here."""

    def __init__(self) -> None:
        # In a session of its own, so that it is ended as a whole, and by this process alone:
        # Control-C in a terminal would reach the workers as well.
        self._process = subprocess.Popen(
            [sys.executable, "-c", BOOT, *map(str, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._requests = cast("BufferedWriter", self._process.stdin)
        self._replies = cast("BufferedReader", self._process.stdout)

    def send(self, request: object) -> None:
        """Send what the other process waits for."""
        try:
            pickle.dump(request, self._requests)
            self._requests.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def run(self, calls: Sequence[Call]) -> Iterator[tuple[int, Traffic]]:
        """Run calls; yield the place of each of them and what it did."""
        self.send(calls)
        for _ in calls:
            number, outcome = self._receive()
            if isinstance(outcome, Exception):
                raise outcome
            yield number, outcome

    def close(self) -> None:
        """End the process and its workers, whatever they are at."""
        try:
            with suppress(BrokenPipeError):
                self._requests.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
        finally:
            if self._process.returncode != 0:  # it has not ended, or not its workers
                _kill_group(self._process.pid)
                self._process.wait()
            self._replies.close()

    def _receive(self) -> Reply:
        if not self._replies.peek(1):  # the other end is closed
            raise self._ended()
        reply: Reply = pickle.load(self._replies)
        return reply

    def _ended(self) -> LostWorkerError:
        code = self._process.wait()
        return LostWorkerError(
            f"the process that runs pywren has ended (exit code {code}, the standard error may "
            "say why)"
        )


@contextmanager
def _hosted(workers: int) -> Iterator[_Host]:
    # Workers that had to be killed may write there to the last.
    with tempfile.TemporaryDirectory(prefix="rechunker-", ignore_cleanup_errors=True) as folder:
        host = _Host()
        try:
            host.send((folder, workers))
            yield host
        finally:
            host.close()


def _kill_group(leader: int) -> None:
    """Kill the processes of a group, and wait a moment for them to be gone."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
        until = time.monotonic() + GRACE
        while time.monotonic() < until:
            time.sleep(0.01)
            os.killpg(leader, 0)
