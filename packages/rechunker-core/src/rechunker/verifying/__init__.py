"""Verifying: digests of arrays, groups and datasets, and whether two of them are equal."""

from __future__ import annotations

from rechunker.verifying.digests import Digest, digest
from rechunker.verifying.verification import Difference, Verification, verify

__all__ = ["Difference", "Digest", "Verification", "digest", "verify"]
