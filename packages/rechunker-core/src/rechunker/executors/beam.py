"""Import path of `BeamExecutor`, which the package rechunker-beam provides."""

from __future__ import annotations

from rechunker.executors._install_hint import advise

try:
    from rechunker_beam import BeamExecutor
except ModuleNotFoundError as error:
    advise(error, "beam")
    raise

__all__ = ["BeamExecutor"]
