"""Settings for all tests of this package."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Examples write real files on machines of any speed, so none has a deadline.
settings.register_profile(
    "rechunker", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("rechunker")
