"""Runs plans of Rechunker with dask."""

from rechunker_dask.executor import DaskExecutor, WorkerMemoryWarning

__all__ = ["DaskExecutor", "WorkerMemoryWarning"]
