"""NOTIFY: incident and explanation → enriched alert → sinks, on Faust."""

from streams.stages.notify.stage import NotifyStage

__all__ = ["NotifyStage"]
