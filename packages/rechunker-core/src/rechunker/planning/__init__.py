"""Planning: from shapes, chunks and memory to a chain of task grids."""

__all__: list[str] = []
