"""Datasets and trees of xarray as sources."""

__all__: list[str] = []
