"""Sessions: stores to which a target is written for others to see when a session is committed."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from zarr.abc.buffer import Buffer
from zarr.abc.store import Store
from zarr.storage import StorePath, WrapperStore

from rechunker.stores.claims import TargetInUseError
from rechunker.stores.repositories import (
    base_of,
    check_base,
    check_branch,
    commit,
    fork_of,
    is_lost_elsewhere,
    is_session_store,
    session_of,
)
from rechunker.stores.wrappers import with_inner

__all__ = ["ForkStore", "SessionStore", "holds_claims", "only_format", "session_place"]

_NOT_BEGUN = (
    "the target is written to an Icechunk session, which must be there from start to end: run the "
    "plan with Rechunked.execute()"
)


def session_place(place: StorePath, *, remote: bool) -> StorePath:
    """Return the place of a target; a session is there for an execution alone.

    Parameters
    ----------
    place
        Place in a store.
    remote
        Whether tasks may run in other processes.

    Raises
    ------
    ValueError
        If the session has ended.
    """
    store = place.store
    if not is_session_store(store):
        return place
    if not isinstance(store, SessionStore):
        if session_of(store).read_only:
            raise ValueError(
                "the session at target_store is read-only, or was committed; open another one with "
                "repository.writable_session(branch)"
            )
        store = SessionStore(store)
    store.remote = remote
    return StorePath(store, place.path)


def only_format(place: StorePath) -> int | None:
    """Return the only Zarr format that a store can hold; None if it holds any."""
    return 3 if is_session_store(place.store) else None


def holds_claims(store: Store) -> bool:
    """Return whether a run can have a claim in a store, and a journal.

    Archives can delete nothing. A session holds the objects of arrays and groups alone; it needs no
    claim, as nobody else sees what is written to it.
    """
    return bool(store.supports_deletes) and not is_session_store(store)


class SessionStore(WrapperStore[Store]):
    """The store of a session, which is written to while a plan is executed, and not before.

    Tasks in this process write to the session, those in other processes to forks of it, which are
    merged at the end. Nobody else sees anything before the session is committed.

    Parameters
    ----------
    store
        Store of the user's session, or of one that is read until the first execution begins.
    repository, branch
        Where each execution takes a session of its own, which it commits when all is done; None if
        the user commits the session.
    """

    def __init__(self, store: Store, repository: Any = None, branch: str = "") -> None:
        super().__init__(store)
        self.remote = False
        self._given = store
        self._repository, self._branch = repository, branch
        self._execution = threading.Lock()
        self._session: Any = None  # of the execution
        self._base: Any = None  # what the tasks in this process write to
        self._forked: bytes | None = None  # what those in other processes write to
        self._done: dict[str, set[int]] = {}

    @classmethod
    def of_branch(cls, repository: Any, branch: Any) -> SessionStore:
        """Return the store of a branch, to which each execution makes a commit."""
        check_branch(repository, branch)
        return cls(repository.writable_session(branch).store, repository, branch)

    def __str__(self) -> str:
        session = session_of(self)
        return f"icechunk://{session.branch or self._branch or session.snapshot_id}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._forked is not None:
            return ForkStore, (pickle.loads(self._forked),)
        if self._repository is None:
            raise RuntimeError(_NOT_BEGUN)
        return SessionStore.of_branch, (self._repository, self._branch), {"remote": self.remote}

    def _with_store(self, store: Store) -> Any:
        return store  # one that is only read

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Let the session be written to within a context.

        Raises
        ------
        TargetInUseError
            If the plan is executed already.
        ValueError
            If tasks in other processes cannot write to the session.
        """
        if not self._execution.acquire(blocking=False):
            raise TargetInUseError("this plan is being executed; wait for its end")
        after = self._given
        try:
            session = session_of(self._given)
            if self._repository is not None:
                session = self._repository.writable_session(self._branch)
            self._base = base_of(session) if self.remote else session
            self._session, self._done = session, {}
            self._store = with_inner(self._given, self._base.store)
            yield
            if self._repository is not None:
                after = with_inner(self._given, session.store)
        finally:
            self._store, self._session, self._base, self._forked = after, None, None, None
            self._execution.release()

    def check_forks(self) -> None:
        """Check that tasks in other processes can write to the session as it is now.

        Raises
        ------
        ValueError
            If they cannot.
        """
        if self._repository is None:
            check_base(session_of(self._given))

    def fork(self) -> None:
        """Let tasks in other processes write to the arrays that there are now."""
        if self.remote:
            store = with_inner(self._given, fork_of(self._base).store)
            forked = pickle.dumps(store)
            if is_lost_elsewhere(forked):
                raise ValueError(
                    f"the target store {self} lives in the memory of this process, where tasks of "
                    'other processes cannot reach it; use executor="python"'
                )
            self._forked = forked

    def finish(self, contents: Iterable[bytes], message: str) -> None:
        """Merge what was written in other processes, and commit a session that is ours.

        Parameters
        ----------
        contents
            Pickled forks.
        message
            Message of the commit.

        Raises
        ------
        TargetInUseError
            If others have made a commit to the branch.
        """
        for content in contents:
            self._base.merge(pickle.loads(content))
        if self._base is not self._session:
            self._session.merge(self._base)
        if self._repository is not None and not commit(self._session, message):
            raise TargetInUseError(
                f"others have made a commit to the branch {self._branch!r} since this run began, "
                "so it has committed nothing; call execute() again, or give a session that you "
                "rebase and commit yourself"
            )

    def note(self, stage: str, task: int) -> None:
        """Note that a task of a stage is done in this process."""
        self._done.setdefault(stage, set()).add(task)

    def done(self, stage: str) -> frozenset[int]:
        """Return the tasks of a stage that have been done in this process."""
        return frozenset(self._done.get(stage, ()))

    @property
    def inner(self) -> Store:
        """The store itself, as users know it."""
        return self._store

    def _check_begun(self) -> None:
        if self._session is None:
            raise RuntimeError(_NOT_BEGUN)

    async def set(self, key: str, value: Buffer) -> None:
        self._check_begun()
        await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        self._check_begun()
        await super().set_if_not_exists(key, value)

    async def delete(self, key: str) -> None:
        self._check_begun()
        await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        self._check_begun()
        await super().delete_dir(prefix)


class ForkStore(WrapperStore[Store]):
    """The store of a fork in a process of its own, which knows what tasks have written there.

    Parameters
    ----------
    store
        Store of the fork.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._done: dict[str, list[int]] = {}

    def note(self, stage: str, task: int) -> None:
        """Note that a task of a stage is done."""
        self._done.setdefault(stage, []).append(task)

    @property
    def done(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names of stages, and the tasks of each that have been done."""
        return tuple((stage, tuple(tasks)) for stage, tasks in self._done.items())

    def content(self) -> bytes:
        """Return the fork, with all that these tasks have written, pickled."""
        return pickle.dumps(session_of(self))
