"""Executors under the import paths that the documentation names."""

__all__: list[str] = []
