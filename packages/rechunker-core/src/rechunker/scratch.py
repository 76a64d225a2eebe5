"""Memory that one thread of a task uses again for one chunk after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Scratch"]


class Scratch:
    """One buffer that grows to the largest size asked for.

    Fresh memory costs the system more time than decompressing into it does.
    """

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def take(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """Return `nbytes` bytes with any content; the ones returned before are void."""
        if self._bytes.size < nbytes:
            self._bytes = np.empty(0, np.uint8)  # released before the larger one is made
            self._bytes = np.empty(nbytes, np.uint8)
        return self._bytes[:nbytes]

    def release(self) -> None:
        """Give the memory back."""
        self._bytes = np.empty(0, np.uint8)
