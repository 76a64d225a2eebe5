"""Leftovers: what runs that have ended, or were killed, have left in a store."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from zarr.storage import LocalStore, StorePath

from rechunker.stores import access
from rechunker.stores.claims import CLAIM, Claim, TargetInUseError
from rechunker.stores.holders import Holder
from rechunker.stores.journal import JOURNAL, NO_EPOCH, Journal
from rechunker.stores.resolve import resolve_store
from rechunker.stores.wrappers import unwrap

__all__ = ["DIGEST_FOLDER", "Leftover", "clean", "leftovers", "temp_folder_name"]

DIGEST_FOLDER = "rechunker-digest-"
_TEMP_FOLDER = re.compile(r"rechunker-([0-9a-f]{16}|digest-[0-9a-f]{32})")
# What lies in the folder of a plan: claims, marks, and objects by array, stage and task.
_IN_TEMP_FOLDER = re.compile(
    rf"({re.escape(CLAIM)}(-[0-9a-f]{{32}})?|[0-9a-f]{{16}}/\d+/\d+)(\.[0-9a-f]{{32}}\.partial)?"
)
# What lies in that of a digest: a claim, and logs by side and array.
_IN_DIGEST_FOLDER = re.compile(
    rf"({re.escape(CLAIM)}|\d+/{NO_EPOCH}/\d+/\d+-[0-9a-f]+)(\.[0-9a-f]{{32}}\.partial)?"
)
_MARK = re.compile(rf"{re.escape(CLAIM)}-[0-9a-f]{{32}}")
_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")
_UNREADABLE = "by a run whose claim cannot be read"
# Seconds after which nobody is still writing a file that a LocalStore has begun.
_OLD = 3600.0

Kind = Literal["claim", "journal", "temporary objects", "mark", "partial file"]
State = Literal["ended", "unknown", "running"]


@dataclass(frozen=True)
class Leftover:
    """What a run that has ended has left in a store.

    Parameters
    ----------
    kind
        What it is.
    key
        Key of the object, or of the folder.
    objects
        Number of objects in it.
    state
        Whether the run is known to have ended, or cannot be asked: it was started on another
        computer, or by a plan that its user runs without `Rechunked.execute`.
    holder
        Who has left it and when, as far as it is known.
    """

    kind: Kind
    key: str
    objects: int
    state: State
    holder: str = ""

    def __str__(self) -> str:
        number = f" ({self.objects:,} objects)" if self.objects > 1 else ""
        who = f", {self.holder}" if self.holder else ""
        unknown = "; whether that run goes on is unknown" if self.state == "unknown" else ""
        return f"{self.kind} at {self.key}{number}{who}{unknown}"


def temp_folder_name(fingerprints: Iterable[str]) -> str:
    """Return the name of the folder for the temporary objects of a plan.

    Parameters
    ----------
    fingerprints
        Fingerprints of its arrays.
    """
    # Arrays of a dataset come in any order.
    text = " ".join(sorted(fingerprints))
    return f"rechunker-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def leftovers(
    store: Any, *, storage_options: Mapping[str, Any] | None = None
) -> tuple[Leftover, ...]:
    """Find what runs that do not go on have left in a store.

    That is: claims and journals in targets, temporary objects in temp stores, and what a
    `zarr.storage.LocalStore` leaves of files where a process is killed while it writes them. What
    belongs to runs that go on is left out. All keys of the store are listed.

    Parameters
    ----------
    store
        A target or temp store, or a place around some: a path, a URL, a mutable mapping, a Zarr
        store or a `zarr.Group`.
    storage_options
        Options for a URL, as for `rechunker.rechunk`.

    Returns
    -------
    tuple of Leftover
        What can be removed; nothing is removed.

    Raises
    ------
    ValueError
        If the store cannot list or delete objects.

    Examples
    --------
    >>> leftovers("target.zarr")
    ()
    """
    place = resolve_store(store, storage_options=storage_options)
    return tuple(found for found in _find(place) if found.state != "running")


def clean(
    store: Any,
    *,
    unknown: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[Leftover, ...]:
    """Remove what runs that have ended have left in a store; see `leftovers`.

    A run whose claim and journal are removed cannot be resumed. Chunks of a target that is not
    finished stay; delete that target yourself, or run the same plan again.

    Parameters
    ----------
    store
        As for `leftovers`.
    unknown
        Whether to remove also what runs have left that cannot be asked: those of other computers,
        containers and boots, and those of plans that were run without `Rechunked.execute`. Make
        sure that they have ended.
    storage_options
        Options for a URL, as for `rechunker.rechunk`.

    Returns
    -------
    tuple of Leftover
        What was removed.

    Raises
    ------
    ValueError
        If the store cannot list or delete objects.
    TargetInUseError
        If a run goes on with what was about to be removed.
    """
    place = resolve_store(store, storage_options=storage_options)
    states: tuple[State, ...] = ("ended", "unknown") if unknown else ("ended",)
    chosen = [found for found in _find(place) if found.state in states]
    for found in chosen:
        _remove(place, found, states)
    return tuple(chosen)


@dataclass
class _Seen:
    """What a list of keys shows."""

    claims: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    journals: dict[str, int] = field(default_factory=dict)
    temp: dict[str, int] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)

    def note(self, key: str) -> None:
        """Note a key of something that may be left over."""
        names = key.split("/")
        for n, name in enumerate(names):
            around, rest = "/".join(names[:n]), "/".join(names[n + 1 :])
            if _TEMP_FOLDER.fullmatch(name) and rest:
                self._note_temp("/".join(names[: n + 1]), rest)
                return
            if name == JOURNAL and rest:
                self.journals[around] = self.journals.get(around, 0) + 1
                return
        if names[-1] == CLAIM:
            self.claims.append("/".join(names[:-1]))
        elif _MARK.fullmatch(names[-1]):
            self.marks.append(key)
        elif _PARTIAL.search(names[-1]):
            self.partial.append(key)

    def _note_temp(self, folder: str, rest: str) -> None:
        self.temp[folder] = self.temp.get(folder, 0) + 1
        is_digest = folder.rpartition("/")[2].startswith(DIGEST_FOLDER)
        if not (_IN_DIGEST_FOLDER if is_digest else _IN_TEMP_FOLDER).fullmatch(rest):
            self.foreign.add(folder)


def _find(place: StorePath) -> Iterator[Leftover]:
    store = place.store
    if not (store.supports_listing and store.supports_deletes):
        raise ValueError(f"{place} cannot list and delete objects, so no run leaves anything there")
    seen = _Seen()
    for key in access.find_keys(store, f"{place.path}/" if place.path else "", _may_be_left):
        seen.note(key)
    held = [at for at in seen.claims if _state_of(store, _join(at, CLAIM))[0] != "ended"]
    for at in sorted({*seen.claims, *seen.journals}):
        state, holder = _state_of(store, _join(at, CLAIM))
        if at in seen.claims:
            yield Leftover("claim", _join(at, CLAIM), 1, state, holder)
        if at in seen.journals:
            yield Leftover("journal", _join(at, JOURNAL), seen.journals[at], state, holder)
    for folder, objects in sorted(seen.temp.items()):
        if folder not in seen.foreign:
            state, holder = _state_of(store, _join(folder, CLAIM))
            yield Leftover("temporary objects", folder, objects, state, holder)
    for key in sorted(seen.marks):
        yield Leftover("mark", key, 1, *_state_of(store, key))
    for key in sorted(seen.partial):
        is_held = any(not at or key.startswith(f"{at}/") for at in held)
        if _is_old(store, key) and not is_held:
            yield Leftover("partial file", key, 1, "ended")


def _may_be_left(key: str) -> bool:
    return "rechunker-" in key or _PARTIAL.search(key) is not None


def _state_of(store: Any, key: str) -> tuple[State, str]:
    """Return the state of the run whose claim or mark has a key, and who it is."""
    content = access.get(store, key)
    if content is None:
        return "ended", ""  # a run that fails releases its claim
    try:
        holder = Holder.unpack(content)
    except ValueError:
        return "unknown", _UNREADABLE
    if holder.is_over:
        return "ended", str(holder)
    is_running = holder.is_on_this_host and not holder.is_gone
    return ("running" if is_running else "unknown"), str(holder)


def _is_old(store: Any, key: str) -> bool:
    inner = unwrap(store)
    if not isinstance(inner, LocalStore):
        return False  # other stores write whole objects
    with suppress(FileNotFoundError):
        return time.time() - (inner.root / key).stat().st_mtime > _OLD
    return False


def _remove(place: StorePath, found: Leftover, states: Sequence[State]) -> None:
    """Remove something, unless a run has taken it over in the meantime."""
    store, around = place.store, found.key.rpartition("/")[0]
    if found.kind in ("claim", "journal"):
        at = StorePath(store, around)
        claim, execution = Claim(store, around, uuid4().hex), uuid4().hex
        with Holder.active(execution):
            if found.kind == "claim" and found.holder == _UNREADABLE:
                access.delete(store, found.key)
            claim.take(overwrite="unknown" in states, execution=execution)
            Journal(at).delete()
            claim.release()
        return
    at_claim = found.key if found.kind == "mark" else _join(found.key, CLAIM)
    if found.kind != "partial file" and _state_of(store, at_claim)[0] not in states:
        raise TargetInUseError(f"a run goes on with {found}; call clean() again when it has ended")
    if found.kind == "temporary objects":
        access.delete_dir(store, found.key)
    access.delete(store, found.key)


def _join(at: str, name: str) -> str:
    return f"{at}/{name}" if at else name
