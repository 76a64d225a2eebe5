"""The "python" executor, and the documented import paths of the executors of other packages."""

__all__: list[str] = []
