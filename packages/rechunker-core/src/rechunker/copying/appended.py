"""Appended bytes: what is encoded part by part, in one piece of memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Appended"]


class Appended:
    """Bytes that are appended in memory that is used again, or in larger memory if need be.

    Parameters
    ----------
    memory
        The memory.
    """

    def __init__(self, memory: npt.NDArray[np.uint8]) -> None:
        self._memory = memory
        self.size = 0

    def append(self, part: npt.NDArray[np.uint8]) -> None:
        """Put bytes behind those that are there."""
        stop = self.size + part.size
        if stop > self._memory.size:
            larger = np.empty(2 * stop, np.uint8)
            larger[: self.size] = self._memory[: self.size]
            self._memory = larger
        self._memory[self.size : stop] = part
        self.size = stop

    @property
    def whole(self) -> npt.NDArray[np.uint8]:
        """All bytes, without a copy."""
        return self._memory[: self.size]
