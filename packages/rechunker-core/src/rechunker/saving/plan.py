"""Saved plans: their rounds, a range of tasks at a time, with barriers that the store knows."""

from __future__ import annotations

import time
from typing import Any

from rechunker.jobs import TargetJob
from rechunker.running import BatchRunner
from rechunker.saving.rounds import BarrierError, Round, Rounds
from rechunker.stores import StartingError, find_node, secrets_hidden, without_secrets
from rechunker.types import Traffic

__all__ = ["SavedPlan"]

# Seconds to wait for a process that starts the same plan, and between two looks.
_LONGEST, _PAUSE = 300.0, 0.2


class SavedPlan:
    """A plan from a file. Any number of processes, on any computers, run its tasks.

    Call `start` once, then `run` for all tasks of each round, and `publish` at the end. Users get
    it from `rechunker.load`.

    Parameters
    ----------
    job
        The planned target.
    verify
        Whether to publish only what is proven to be equal to the source.
    """

    def __init__(self, job: TargetJob, *, verify: bool) -> None:
        self._job = job
        self._rounds = Rounds(job, verify)

    def __repr__(self) -> str:
        place = without_secrets(self._job.place)
        lines = (f"* round {n}: {r.name}, {r.tasks:,} tasks" for n, r in enumerate(self.rounds))
        return "\n".join([f"<SavedPlan {place}>", *lines])

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds, in order."""
        return self._rounds.all

    def share(self, number: int, index: int, count: int) -> range:
        """Return the tasks of one of several processes that share a round.

        Parameters
        ----------
        number
            Number of the round, from 0.
        index
            Number of the process, from 0.
        count
            Number of processes.

        Raises
        ------
        IndexError
            If there is no such round or process.
        """
        tasks = len(self._rounds.tasks(number))
        if not 0 <= index < count:
            raise IndexError(f"index must be in range({count}), the number of processes: {index}")
        return range(index * tasks // count, (index + 1) * tasks // count)

    def start(self) -> None:
        """Claim the target and clear it, before any task runs. To call it again does no harm.

        Raises
        ------
        TargetInUseError
            If another run writes to the target.
        FileExistsError, FileNotFoundError, ValueError
            If the target or the source is not what it was when the plan was made.
        """
        until = time.monotonic() + _LONGEST
        with secrets_hidden():
            start, _ = self._job.ends(verify=self._rounds.verify)
            while True:
                try:
                    start(0)
                    return
                except StartingError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(_PAUSE)
                except BaseException:
                    self._give_free()
                    raise

    def _give_free(self) -> None:
        """Give a target free that could not be made ready."""
        for root in self._job.roots:
            claim = self._job.claim(root)
            holder = None if claim is None else claim.holder()
            if claim is not None and holder is not None and not holder.cleared:
                claim.release()

    def run(self, number: int, tasks: int | range | None = None, *, retries: int = 0) -> Traffic:
        """Run tasks of one round, one after another, except those that are done already.

        Parameters
        ----------
        number
            Number of the round, from 0.
        tasks
            A task number, a range of them, or None for all tasks of the round. Ranges may overlap,
            and the same range may run twice, also at the same time.
        retries
            Number of times to retry a failed task.

        Returns
        -------
        Traffic
            Traffic of these tasks; those that were done already count as `known`.

        Raises
        ------
        BarrierError
            If the plan has not been started, or a task of the round before is not done.
        TargetInUseError
            If the target was taken over, deleted or cleared in the meantime.
        IndexError
            If there is no such round or task.
        CopyError
            The error of a task that failed.
        """
        chosen, runner = self._rounds.tasks(number, tasks), BatchRunner(retries)
        with secrets_hidden():
            epoch = self._epoch()
            self._rounds.check_before(number, epoch)
            return Traffic.total(self._rounds.run(number, chosen, epoch, runner))

    def left(self, number: int) -> tuple[range, ...]:
        """Return the tasks of a round that are not done.

        Parameters
        ----------
        number
            Number of the round, from 0.

        Raises
        ------
        BarrierError
            If the plan has not been started, or is published.
        """
        self._rounds.tasks(number)
        with secrets_hidden():
            return self._rounds.left(number, self._epoch())

    def publish(self) -> Any:
        """Write the metadata of the target, without which it does not open, and return it.

        To call it again does no harm.

        Returns
        -------
        zarr.Array or zarr.Group
            The target, opened.

        Raises
        ------
        BarrierError
            If a task is not done.
        TargetInUseError
            If the target was taken over, deleted or cleared in the meantime.
        VerificationError
            If the plan was saved with `verify`, and the target is not equal to the source.
        ValueError
            If the source has changed.
        """
        with secrets_hidden():
            if not self._is_published():
                self._rounds.check_before(len(self.rounds), self._epoch())
                _, finish = self._job.ends(verify=self._rounds.verify)
                finish(0)
            return self._job.open()

    def _is_published(self) -> bool:
        """Return whether nothing holds the target any more, and it is there, and new."""
        root = self._job.roots[0]
        claim, node = self._job.claim(root), find_node(self._job.place / root)
        is_new = node is not None and node.metadata != self._job.replaced.get(root)
        return is_new and (claim is None or claim.holder() is None)

    def _epoch(self) -> str:
        """Return the id of the execution; raise an error if the target is not ready for tasks."""
        place, claim = without_secrets(self._job.place), self._job.claim(self._job.roots[0])
        assert claim is not None  # the target can hold one
        if claim.holder() is None:
            if self._is_published():
                raise BarrierError(f"the target {place} is published: nothing is left to do")
            raise BarrierError(
                f"the target {place} is not claimed by this plan: call start() once, before any "
                "task runs. (If that was done, somebody has deleted or cleared the target, and all "
                "is to be done again.)"
            )
        holder = claim.check()
        if not holder.cleared:
            raise BarrierError(
                f"the target {place} is not ready: start() has not ended, {holder}; wait for it, "
                "or call it again if it has died"
            )
        journal = self._job.journal
        if journal is None or journal.facts() is None:
            raise BarrierError(
                f"the journal in the target {place} is gone: the source has changed, or "
                "somebody has deleted it. Call rechunk() with target_options={'overwrite': True}, "
                "and save() again"
            )
        return holder.epoch
