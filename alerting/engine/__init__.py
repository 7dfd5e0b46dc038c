"""The risk engine: from the rows of a commit to alarm events."""

from alerting.engine.core import Engine
from alerting.engine.snapshot import StationLevel, ThresholdLine

__all__ = ["Engine", "StationLevel", "ThresholdLine"]
