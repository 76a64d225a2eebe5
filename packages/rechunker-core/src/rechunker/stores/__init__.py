"""Stores: what a store-like stands for, and access to whole objects in it."""

__all__: list[str] = []
