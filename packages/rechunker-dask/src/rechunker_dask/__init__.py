"""Run plans of Rechunker with Dask."""

from rechunker_dask.executor import DaskExecutor, WorkerMemoryWarning

__all__ = ["DaskExecutor", "WorkerMemoryWarning"]
