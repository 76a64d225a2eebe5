"""The documented import path of `BeamExecutor`, of the package rechunker-beam."""

from __future__ import annotations

from rechunker.executors._advice import advise

try:
    from rechunker_beam import BeamExecutor
except ModuleNotFoundError as error:
    advise(error, "beam")
    raise

__all__ = ["BeamExecutor"]
