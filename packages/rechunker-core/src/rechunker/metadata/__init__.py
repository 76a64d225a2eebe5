"""Metadata: the documents of a target, from those of its source and the options."""

__all__: list[str] = []
