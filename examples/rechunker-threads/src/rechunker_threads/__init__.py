"""Run plans of Rechunker with several tasks at a time, in threads of this process."""

from rechunker_threads.executor import ThreadsExecutor

__all__ = ["ThreadsExecutor"]
