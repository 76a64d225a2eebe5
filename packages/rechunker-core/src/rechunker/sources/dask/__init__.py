"""Dask arrays as sources."""

__all__: list[str] = []
