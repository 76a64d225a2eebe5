"""Session targets: groups and arrays are created first, chunks are merged into the session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from uuid import uuid4

from zarr.buffer import cpu

from rechunker.jobs.published import Published
from rechunker.jobs.roots import Root
from rechunker.stores import Claim, Holder, SessionStore, access
from rechunker.types import Changes

__all__ = ["end_session", "in_session"]

# Arrays that the message of a commit names.
_NAMED = 5


@contextmanager
def in_session(
    store: SessionStore,
    published: Published,
    roots_of: Callable[[Mapping[str, bytes]], Iterable[Root]],
    temp: Claim | None,
) -> Iterator[None]:
    """Create the groups and arrays of a target in a session; delete them after an error.

    Nothing is left that another run could go on with, so that temporary objects are deleted, too.

    Parameters
    ----------
    store
        Store of the target.
    published
        Metadata of the target.
    roots_of
        Returns what it consists of, from the objects that hold these metadata.
    temp
        Claim on the folder of temporary objects, which says whose they are; None if there are none.

    Raises
    ------
    FileExistsError
        If something is there that must not be replaced.
    """
    with store.begun():
        documents = tuple(chain.from_iterable(published.documents()))
        roots = tuple(roots_of(dict(documents)))
        for root in roots:
            root.check()
        execution = uuid4().hex
        try:
            _delete(store, roots)
            for key, content in reversed(documents):  # parents first, as Zarr creates arrays
                access.put(store, key, cpu.Buffer.from_bytes(content))
            store.fork()
            with Holder.active(execution):
                if temp is not None:
                    temp.set(Holder.here(temp.run, execution))
                yield
        except BaseException:
            with suppress(Exception):  # the error that is on its way says more
                _delete(store, roots)  # so that nobody commits what is not whole
            with suppress(Exception):
                if temp is not None:
                    access.delete_dir(temp.store, temp.path)
            raise


def _delete(store: SessionStore, roots: Sequence[Root]) -> None:
    for root in roots:
        access.delete_dir(store, root.place.path)


def end_session(
    store: SessionStore, changes: Iterable[Changes], stages: Mapping[str, int], names: Sequence[str]
) -> None:
    """Merge what tasks have written into the session of a target; commit it if it is ours.

    Parameters
    ----------
    store
        Store of the target.
    changes
        What those in other processes have written.
    stages
        Names of the stages that write to the target, and the numbers of their tasks.
    names
        Names of its arrays.

    Raises
    ------
    RuntimeError
        If something is missing.
    TargetInUseError
        If others have made a commit to the branch.
    """
    changes = tuple(changes)
    done = {name: set(store.done(name)) for name in stages}
    for name, tasks in chain.from_iterable(change.done for change in changes):
        done[name].update(tasks)
    for name, number in stages.items():
        if len(done[name]) != number:
            raise RuntimeError(
                f"{number - len(done[name])} of {number} tasks of the stage {name!r} have not "
                "handed back what they have written, so the session is left as it was; the "
                "executor loses the changes in rechunker.types.Traffic"
            )
    store.finish((change.content for change in changes), _message(names))


def _message(names: Sequence[str]) -> str:
    if list(names) == [""]:
        return "Rechunk an array"
    more = ", ..." if len(names) > _NAMED else ""
    number = "1 array" if len(names) == 1 else f"{len(names):,} arrays"
    return f"Rechunk {number}: {', '.join(names[:_NAMED])}{more}"
