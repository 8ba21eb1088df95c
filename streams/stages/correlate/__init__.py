"""CORRELATE: evidence → incidents and candidates, one engine a domain, on Faust."""

from streams.stages.correlate.stage import CorrelateStage

__all__ = ["CorrelateStage"]
