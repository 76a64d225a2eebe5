"""Jobs: from a hierarchy to copy specs, and what comes before and after all of them."""

__all__: list[str] = []
