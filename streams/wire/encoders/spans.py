"""Calls as OTLP spans: one trace of each edge and interval, as heavy sampling leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from streams.wire.encoders.otlp import MS_NS, SCOPE, Run, resource


class Call(NamedTuple):
    """One call of an edge, as long as the median of its interval."""

    caller: str
    callee: str
    ts_ms: int
    """When it ends."""
    client_s: float
    server_s: float | None
    """None where the callee emits no spans, as datastores do not."""
    failing: float
    """Share of the interval's calls that failed."""


def calls(runs: Iterable[Run]) -> Iterator[Call]:
    """One call for every interval of an edge in which there were any, from the samples of one caller."""
    seen: dict[tuple[str, str, int], dict[str, float]] = {}
    for series, ts_ms, values in runs:
        for at_ms, value in zip(ts_ms, values, strict=True):
            seen.setdefault((series.service, series.peer or "", at_ms), {})[series.metric] = value
    for (caller, callee, at_ms), of in seen.items():
        count = of.get("calls", 0.0)
        if callee and count > 0.0:
            failing = min(of.get("errors", 0.0) / count, 1.0)
            lasted_s = of.get("client_p50_s", 0.001)
            yield Call(caller, callee, at_ms, lasted_s, of.get("server_p50_s"), failing)


def trace(domain: str, call: Call) -> tuple[bytes, bytes]:
    """The trace's id and its spans: the caller's, and below it the callee's, where it emits any."""
    told = f"{domain}\x1f{call.caller}\x1f{call.callee}\x1f{call.ts_ms}"
    drawn = blake2b(told.encode(), digest_size=32).digest()
    trace_id, client_id, server_id, chance = drawn[:16], drawn[16:24], drawn[24:30] + b"\1\1", drawn[30:]
    failed = int.from_bytes(chance) < call.failing * 2**16
    status = Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET)
    end_ns, client_ns = call.ts_ms * MS_NS, round(call.client_s * 1e9)
    named = KeyValue(key="server.address", value=AnyValue(string_value=call.callee.rsplit("/", 1)[-1]))
    client = Span(
        trace_id=trace_id, span_id=client_id, name="call", kind=Span.SPAN_KIND_CLIENT, status=status,
        start_time_unix_nano=end_ns - client_ns, end_time_unix_nano=end_ns, attributes=[named],
    )  # fmt: skip
    found = [_of(domain, call.caller, client)]
    if call.server_s is not None:
        server_ns = min(round(call.server_s * 1e9), client_ns)
        left_ns = (client_ns - server_ns) // 2
        server = Span(
            trace_id=trace_id, span_id=server_id, parent_span_id=client_id, name="serve",
            kind=Span.SPAN_KIND_SERVER, status=status,
            start_time_unix_nano=end_ns - left_ns - server_ns, end_time_unix_nano=end_ns - left_ns,
        )  # fmt: skip
        found.append(_of(domain, call.callee, server))
    return trace_id, TracesData(resource_spans=found).SerializeToString()


def _of(domain: str, service: str, span: Span) -> ResourceSpans:
    scope = ScopeSpans(spans=[span])
    scope.scope.name = SCOPE
    return ResourceSpans(resource=resource(domain, service, None, None), scope_spans=[scope])
