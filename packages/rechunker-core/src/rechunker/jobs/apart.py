"""Apart: source, target and temp place are proved to be apart before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zarr.storage import StorePath

from rechunker.stores import Mark, find_node, names_of, without_secrets

__all__ = ["Apart"]


@dataclass(frozen=True)
class Apart:
    """Check, when execution starts, that places whose names differ are different places.

    Parameters
    ----------
    run
        Random id of the plan, which is in its claims.
    target
        Place of the target, or of the group that it is added to.
    origins
        Places of the sources; none lies in another one.
    alike
        Places of arrays that are read and have the metadata that are at the target.
    temp
        Where temporary objects go, and the folder in it that this plan alone uses; None if there
        are none.
    """

    run: str
    target: StorePath
    origins: tuple[StorePath, ...] = ()
    alike: tuple[StorePath, ...] = ()
    temp: tuple[StorePath, StorePath] | None = None

    def check(self, claimed: Sequence[tuple[StorePath, Sequence[str]]]) -> None:
        """Check that no claim of this run shows through the store of a source, and so on.

        Parameters
        ----------
        claimed
            Places of the target that are claimed, with the keys of all metadata there.

        Raises
        ------
        ValueError
            If places are one, or one lies in the other.
        """
        if not claimed:
            return
        targets = Mark(tuple(place for place, _ in claimed), self.run)
        source = targets.find(self.origins, above=True, below=True)
        source = source or targets.find(self.alike, above=True)
        if source is not None:
            raise ValueError(_overlap("target_store", self.target, source))
        for place, metadata in claimed:
            self._check_inside(place, metadata)
        if self.temp is not None:
            self._check_temp(*self.temp, targets)

    def _check_inside(self, target: StorePath, metadata: Sequence[str]) -> None:
        """Check that no metadata below the target are those of a source."""
        paths = dict.fromkeys(key.rpartition("/")[0] for key in metadata)
        folders = [StorePath(target.store, path) for path in paths if path != target.path]
        for origin in self.origins:
            last = names_of(origin)[-1:]  # none if the store does not tell
            named = [folder for folder in folders if last in ((), names_of(folder)[-1:])]
            node = find_node(origin) if named else None
            for folder in named:
                if node is None or find_node(folder) != node:
                    continue
                with Mark.put(folder, self.run) as mark:
                    source = mark.find([origin], below=True)
                if source is not None:
                    raise ValueError(_overlap("target_store", target, source))

    def _check_temp(self, temp: StorePath, folder: StorePath, targets: Mark) -> None:
        with Mark.put(folder, self.run) as mark:
            source = mark.find(self.origins, below=True)
            is_in_target = mark.find([self.target], below=True) or targets.find([temp], above=True)
        if source is not None:
            raise ValueError(_overlap("temp_store", temp, source))
        if is_in_target:
            raise ValueError(
                f"temp_store {without_secrets(temp)} is the target {without_secrets(self.target)} "
                "or lies in it; choose another temp_store"
            )


def _overlap(name: str, place: StorePath, origin: StorePath) -> str:
    return (
        f"{name} {without_secrets(place)} and the source {without_secrets(origin)} are one place, "
        "or one lies in the other: what is written to the first can be read from the second; "
        f"choose another {name}"
    )
