"""Run plans of Rechunker with pywren or its successor lithops."""

from rechunker_pywren.calls import LostWorkerError
from rechunker_pywren.executor import PywrenExecutor

__all__ = ["LostWorkerError", "PywrenExecutor"]
