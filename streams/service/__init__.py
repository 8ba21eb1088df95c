"""The running service: stages as processes, their supervision, health and metrics."""

from streams.service.pipeline import Pipeline
from streams.service.stages import STAGES, run_stage

__all__ = ["STAGES", "Pipeline", "run_stage"]
