"""Repositories of Icechunk: their sessions and stores, recognized without importing Icechunk."""

from __future__ import annotations

import pickle
import sys
from typing import Any

from zarr.abc.store import Store

from rechunker.stores.wrappers import unwrap

__all__ = [
    "base_of",
    "check_base",
    "check_branch",
    "commit",
    "fork_of",
    "is_in_memory",
    "is_lost_elsewhere",
    "is_repository",
    "is_session",
    "is_session_store",
    "session_of",
]


def _is_a(thing: Any, *names: str) -> bool:
    kinds = type(thing).__mro__
    return any(k.__module__.partition(".")[0] == "icechunk" and k.__name__ in names for k in kinds)


def is_repository(thing: Any) -> bool:
    """Return whether something is a repository."""
    return _is_a(thing, "Repository")


def is_session(thing: Any) -> bool:
    """Return whether something is a session, or a fork of one."""
    return _is_a(thing, "Session")


def is_session_store(store: Store) -> bool:
    """Return whether a store, or the one inside its wrappers, is that of a session."""
    return _is_a(unwrap(store), "IcechunkStore")


def session_of(store: Store) -> Any:
    """Return the session whose store it is, or is in its wrappers."""
    inner: Any = unwrap(store)
    return inner.session


def check_branch(repository: Any, branch: Any) -> None:
    """Check that a repository has a branch.

    Raises
    ------
    TypeError, ValueError
        If it has none of this name.
    """
    if not isinstance(branch, str):
        raise TypeError(f"the name of a branch must be a string, got {branch!r}")
    there = repository.list_branches()
    if branch not in there:
        raise ValueError(
            f"the repository has no branch {branch!r}, only {', '.join(sorted(there))}; create it "
            "with repository.create_branch(), or choose one of these"
        )


def is_in_memory(store: Store) -> bool:
    """Return whether the repository of a session is known to live in the memory of this process.

    A fork of a session with changes writes them to the repository (icechunk 2.3), so that such a
    session is not asked.
    """
    session = session_of(store)
    if session.has_uncommitted_changes:
        return False
    return is_lost_elsewhere(pickle.dumps(session if session.read_only else session.fork()))


def is_lost_elsewhere(pickled: bytes) -> bool:
    """Return whether the copies of a pickled session, or of its store, have an empty repository.

    Sessions do not say publicly where their repository is (icechunk 1.1 and 2.3).
    """
    return b"in_memory_object_store_provider" in pickled


def base_of(session: Any) -> Any:
    """Return what arrays are created in, for tasks in other processes: the session, or a fork."""
    check_base(session)
    return session if _major() > 1 else session.fork()


def check_base(session: Any) -> None:
    """Check that what is created in a session can be handed to other processes.

    Raises
    ------
    ValueError
        If the session has changes, which version 1 of Icechunk cannot do.
    """
    # A fork of icechunk 1 knows nothing of the changes of its session, and is refused if there are
    # some; but it can be pickled with its own changes.
    if _major() == 1 and session.has_uncommitted_changes:
        raise ValueError(
            "the session at target_store has uncommitted changes, which version 1 of Icechunk "
            'cannot hand to other processes: commit it first, use executor="python", or install '
            "icechunk>=2"
        )


def fork_of(base: Any) -> Any:
    """Return a fork that can be pickled, with the arrays that were created in the base."""
    # A fork of icechunk 2 holds what is changed in it alone, and refers to the rest; if it held the
    # deletion of what a target replaces, it could not be merged.
    return base.fork() if _major() > 1 else base


def _major() -> int:
    return int(sys.modules["icechunk"].__version__.partition(".")[0])


def commit(session: Any, message: str) -> bool:
    """Commit a session, and return whether nobody else has made a commit in the meantime."""
    try:
        session.commit(message)
    except sys.modules["icechunk"].ConflictError:
        return False
    return True
