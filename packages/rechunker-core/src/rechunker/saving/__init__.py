"""Saving: plans in files, whose tasks run in any process, on any computer, without an engine."""

from __future__ import annotations

from rechunker.saving.files import load, save
from rechunker.saving.plan import SavedPlan
from rechunker.saving.rounds import BarrierError, Round

__all__ = ["BarrierError", "Round", "SavedPlan", "load", "save"]
