"""Running: what every executor needs."""

__all__: list[str] = []
