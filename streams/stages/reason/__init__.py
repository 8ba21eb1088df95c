"""REASON: candidate → explanation, deterministic always and from a model where one is asked, on Faust."""

from streams.stages.reason.stage import ReasonStage

__all__ = ["ReasonStage"]
