"""Import path of `PywrenExecutor`, which the package rechunker-pywren provides."""

from __future__ import annotations

from rechunker.executors._install_hint import advise

try:
    from rechunker_pywren import PywrenExecutor
except ModuleNotFoundError as error:
    advise(error, "pywren")
    raise

__all__ = ["PywrenExecutor"]
