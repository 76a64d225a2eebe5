"""`LoggedStore`: a Zarr store that logs its writes, also those of other processes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

from zarr.abc.buffer import Buffer
from zarr.abc.store import Store
from zarr.storage import WrapperStore

__all__ = ["LoggedStore"]


class LoggedStore(WrapperStore[Store]):
    """Wrapper of a store that creates one file per written object, containing the key.

    Parameters
    ----------
    store
        The store to wrap.
    folder
        Empty folder for the files.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        super().__init__(store)
        self.folder = folder

    def _with_store(self, store: Store) -> Any:
        return type(self)(store, self.folder)

    async def set(self, key: str, value: Buffer) -> None:
        (self.folder / uuid4().hex).write_text(key)
        await self._store.set(key, value)

    def puts(self) -> Counter[str]:
        """Return the number of times that each key was written."""
        return Counter(path.read_text() for path in self.folder.iterdir())
