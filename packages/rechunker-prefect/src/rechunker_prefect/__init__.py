"""Run plans of Rechunker with Prefect."""

from rechunker_prefect.executor import PrefectExecutor

__all__ = ["PrefectExecutor"]
