"""Import path of `DaskExecutor`, which the package rechunker-dask provides."""

from __future__ import annotations

from rechunker.executors._install_hint import advise

try:
    from rechunker_dask import DaskExecutor
except ModuleNotFoundError as error:
    advise(error, "dask")
    raise

__all__ = ["DaskExecutor"]
