"""Where enriched alerts go: one receiver a file."""

from streams.sinks.port import Sink, named

__all__ = ["Sink", "named"]
