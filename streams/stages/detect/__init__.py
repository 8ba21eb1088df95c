"""DETECT: raw telemetry → evidence, on plain consumers with snapshots."""

from streams.stages.detect.stage import DetectStage
from streams.stages.detect.steps import Step
from streams.stages.detect.unit import Clocks

__all__ = ["Clocks", "DetectStage", "Step"]
