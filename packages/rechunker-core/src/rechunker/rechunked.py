"""The result of `rechunk()`: a rechunking that is planned and can be executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Generic

from zarr.storage import StorePath

from rechunker.planning import RechunkPlan
from rechunker.types import Executor, Traffic

__all__ = ["Intermediate", "Rechunked"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Target = TypeVar("Target", default=Any)
else:
    from typing import TypeVar

    Target = TypeVar("Target")  # a default needs Python 3.13


@dataclass(frozen=True)
class Intermediate:
    """The place of temporary objects, and how many times arrays are copied there.

    Parameters
    ----------
    path
        A place in a store.
    hops
        Copies, by name of the array.
    """

    path: StorePath
    hops: Mapping[str, int]

    def __repr__(self) -> str:
        times = max(self.hops.values())
        return f"<Intermediate {self.path} hops={times}>"


class Rechunked(Generic[Target]):
    """A rechunking that is planned, and that `execute` carries out.

    Parameters
    ----------
    executor
        What will run the plan.
    plan
        The executor's own object.
    source
        What is read.
    intermediate
        Where temporary objects go; None if there are none.
    target
        What will be written. It cannot be opened by others before `execute` is through.
    copy_plan
        What will be done, by name of the array ("" for a source that is an array).
    reopen
        Returns the target as it is in the store; by default `target` is what `execute` returns.

    Attributes
    ----------
    traffic
        What was done, once `execute` is through and if the executor counts it; otherwise None.
    """

    def __init__(
        self,
        executor: Executor[Any],
        plan: Any,
        source: Any,
        intermediate: Intermediate | None,
        target: Target,
        *,
        copy_plan: Mapping[str, RechunkPlan] | None = None,
        reopen: Callable[[], Target] | None = None,
    ) -> None:
        self.executor = executor
        self.plan = plan
        self.source = source
        self.intermediate = intermediate
        self.target = target
        self.traffic: Traffic | None = None
        self.copy_plan = dict(copy_plan or {})
        self._reopen = reopen

    def execute(self, **kwargs: Any) -> Target:
        """Run the plan to its end and return the target.

        Parameters
        ----------
        **kwargs
            For the executor. Those of Rechunker itself take `retries`: how many times more a task
            is run after it has failed; the one named "python" takes `progress`: True for a
            progress bar, or a function of tasks done, tasks in all, and bytes read and written
            so far.

        Returns
        -------
        zarr.Array or zarr.Group
            The target, opened.
        """
        done = self.executor.execute_plan(self.plan, **kwargs)
        self.traffic = done if isinstance(done, Traffic) else None
        if self._reopen is not None:
            self.target = self._reopen()
        return self.target

    def __repr__(self) -> str:
        lines = (f"* {name:<12}: {value!r}" for name, value in self._parts())
        return "\n".join(["<Rechunked>", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align: left'>{name}</th><td>{escape(repr(value))}</td></tr>"
            for name, value in self._parts()
        )
        plans = "".join(
            f"<details><summary>{escape(name or 'plan')}</summary><pre>{escape(str(plan))}</pre>"
            "</details>"
            for name, plan in self.copy_plan.items()
        )
        return f"<b>Rechunked</b><table>{rows}</table>{plans}"

    def _parts(self) -> list[tuple[str, Any]]:
        between = [("Intermediate", self.intermediate)] if self.intermediate else []
        return [("Source", self.source), *between, ("Target", self.target)]
