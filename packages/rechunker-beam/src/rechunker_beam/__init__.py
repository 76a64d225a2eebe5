"""Run plans of Rechunker with Apache Beam."""

from rechunker_beam.executor import BeamExecutor
from rechunker_beam.transform import RechunkTransform

__all__ = ["BeamExecutor", "RechunkTransform"]
