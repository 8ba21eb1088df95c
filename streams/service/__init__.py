"""The running service: stages as processes, their supervision, health and metrics."""

from streams.service.pipeline import Pipeline
from streams.service.stages import OPTIONAL, STAGES, run_stage, stages_of

__all__ = ["OPTIONAL", "STAGES", "Pipeline", "run_stage", "stages_of"]
