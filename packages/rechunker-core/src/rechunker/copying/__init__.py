"""Copying: what one task does."""

__all__: list[str] = []
