"""Import path of `PrefectExecutor`, which the package rechunker-prefect provides."""

from __future__ import annotations

from rechunker.executors._install_hint import advise

try:
    from rechunker_prefect import PrefectExecutor
except ModuleNotFoundError as error:
    advise(error, "prefect")
    raise

__all__ = ["PrefectExecutor"]
