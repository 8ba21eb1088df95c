"""From recorded telemetry to the records that real producers would have written."""

from streams.wire.encoders.outgoing import OutgoingRecord
from streams.wire.encoders.timeline import Timeline

__all__ = ["OutgoingRecord", "Timeline"]
