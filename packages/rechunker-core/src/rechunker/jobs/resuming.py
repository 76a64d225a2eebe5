"""Resuming: whether what an earlier run has left in a target can be continued by a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zarr.storage import StorePath

from rechunker.copying import RecordedStage, settle
from rechunker.jobs.facts import STORED_KEYS
from rechunker.stores import COPIED, Journal, without_secrets

__all__ = ["ResumeError", "Resumption", "check_facts"]

# Facts that do not make another plan: when and how far.
_APART = frozenset({"epoch", COPIED})
# Differences that an error names.
_NAMED = 4


class ResumeError(ValueError):
    """What is in the target is not an unfinished run of this plan."""


def check_facts(recorded: Mapping[str, Any], facts: Mapping[str, Any], place: StorePath) -> None:
    """Check that a journal belongs to the same plan.

    Parameters
    ----------
    recorded
        What the journal says.
    facts
        Facts of the plan.
    place
        Place of the target.

    Raises
    ------
    ResumeError
        If they differ; the message says how.
    """
    found = list(_differences(recorded, facts))
    if len(found) == 1 and recorded.get("verify") != facts.get("verify"):
        was = f"verify={recorded.get('verify')}"
        raise ResumeError(
            f"the target {without_secrets(place)} holds an unfinished run with {was}: call "
            f"execute(resume=True, {was}) to go on with it, or execute() without resume to start "
            "anew"
        )
    if found:
        more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise ResumeError(
            f"the target {without_secrets(place)} holds an unfinished run with other arguments: "
            f"{'; '.join(found[:_NAMED])}{more}. Call rechunk() with the arguments of that run to "
            "go on with it, or execute() without resume to start anew"
        )


def _differences(was: Mapping[str, Any], now: Mapping[str, Any], of: str = "") -> Iterator[str]:
    names = dict.fromkeys([*was, *now])
    for name in names:
        old, new = was.get(name), now.get(name)
        if name in _APART or old == new or (name == STORED_KEYS and None in (old, new)):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{name} of " if not of else f"{name}: ")
        elif name not in was:
            yield f"{of}{name!r} is new"
        elif name not in now:
            yield f"{of}{name!r} is missing"
        else:
            yield f"{of}{name} was {old}, is {new}"


@dataclass(frozen=True)
class Resumption:
    """Goes on, when execution starts, with what an earlier run of the same plan has left.

    Parameters
    ----------
    journal
        Journal of the target.
    facts
        Facts of the plan.
    stages
        Stages of each array.
    """

    journal: Journal
    facts: Mapping[str, Any]
    stages: tuple[tuple[RecordedStage, ...], ...]

    def begin(self, epoch: str) -> None:
        """Begin the journal of an epoch."""
        self.journal.begin({**self.facts, "epoch": epoch})

    def found(self) -> Mapping[str, Any] | None:
        """Return what the journal of an earlier run says; None if there is none.

        Raises
        ------
        ResumeError
            If it is the run of another plan.
        """
        recorded = self.journal.facts()
        if recorded is not None:
            check_facts(recorded, self.facts, self.journal.target)
        return recorded

    def refuse_others(self, arrays: Iterable[StorePath]) -> None:
        """Check that no other run has begun to write to one of the arrays of the target.

        Raises
        ------
        ResumeError
            If there is the journal of another run.
        """
        for place in arrays:
            if place != self.journal.target and Journal(place).is_there:
                raise ResumeError(
                    f"another run has begun to write to {without_secrets(place)} since this one "
                    "stopped, so what is there is not known; call execute() without resume to "
                    "start anew"
                )

    def settle(self, epoch: str) -> None:
        """Find out what is done in each stage."""
        for stages in self.stages:
            settle(stages, epoch)
