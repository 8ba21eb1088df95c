"""Prometheus remote write 1.0's messages, declared here: no package on PyPI keeps them.

Source: prometheus/prompb `remote.proto` and `types.proto` (Apache-2.0), the fields that are read here;
protobuf skips the others (exemplars, native histograms). Metadata comes in requests of its own: that it is
there is all that is read of it.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_STRING, _DOUBLE, _INT64, _MESSAGE, _BYTES = 9, 1, 3, 11, 12
_OPTIONAL, _REPEATED = 1, 3
_MESSAGES: dict[str, tuple[tuple[str, int, int, int, str], ...]] = {
    "Label": (("name", 1, _OPTIONAL, _STRING, ""), ("value", 2, _OPTIONAL, _STRING, "")),
    "Sample": (("value", 1, _OPTIONAL, _DOUBLE, ""), ("timestamp", 2, _OPTIONAL, _INT64, "")),
    "TimeSeries": (
        ("labels", 1, _REPEATED, _MESSAGE, ".headwater.prometheus.Label"),
        ("samples", 2, _REPEATED, _MESSAGE, ".headwater.prometheus.Sample"),
    ),
    "WriteRequest": (
        ("timeseries", 1, _REPEATED, _MESSAGE, ".headwater.prometheus.TimeSeries"),
        ("metadata", 3, _REPEATED, _BYTES, ""),
    ),
}


def _declare() -> tuple[Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="headwater/prometheus.proto", package="headwater.prometheus", syntax="proto3"
    )
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, number, label, kind, type_name in fields:
            message.field.add(
                name=name,
                number=number,
                label=label,
                type=kind,
                type_name=type_name or None,
            )
    # A pool of our own: a process that has Prometheus' real descriptors loaded must not collide with these.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    request, series = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"headwater.prometheus.{name}"))
        for name in ("WriteRequest", "TimeSeries")
    )
    return request, series


WriteRequest, TimeSeries = _declare()
