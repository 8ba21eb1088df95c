"""From what producers send to telemetry: one format a file, `table` chooses among them."""

from streams.wire.decoders.table import BUILT_IN, Decoder, Decoders

__all__ = ["BUILT_IN", "Decoder", "Decoders"]
