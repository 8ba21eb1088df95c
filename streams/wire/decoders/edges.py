"""Edge series from metrics: service graphs in both spellings, and clients' own metrics.

Each edge becomes `Series(service=caller, peer=callee, metric=…)` with `calls` and `errors` (delta) and
`client_p50_s`, `client_p95_s`, `server_p50_s`, `server_p95_s`, `gap_p95_s` (seconds).
"""

from __future__ import annotations

from collections.abc import Mapping

from correlator.evidence import Edge, EdgeSource
from detectors.telemetry import Kind, Series
from streams.wire.decoders.distributions import Cells, interval, quantile
from streams.wire.decoders.otlp import (
    CUMULATIVE,
    ExponentialPoint,
    HistogramPoint,
    Metric,
    NumberPoint,
    SummaryPoint,
)
from streams.wire.decoders.peers import peer_of
from streams.wire.decoders.resource import DOMAIN_KEYS, Attributes, Resource, qualify, stream_of
from streams.wire.telemetry import TelemetryBuilder

GRAPH_PREFIX = "traces_service_graph_request_"
GAP_METRIC = "headwater_service_graph_request_gap_seconds"
"""The caller's duration less the callee's, which no service graph carries; written by `headwater replay`."""
OUTSIDE = "user"
"""What the service graph connectors call a client that they know nothing of."""
_GRAPH_SIDES = {
    "server": "server",
    "server_seconds": "server",
    "client": "client",
    "client_seconds": "client",
}
_GRAPH_SUMS = {"total": "calls", "failed_total": "errors"}
CLIENT_METRICS = frozenset(
    {
        "db.client.operation.duration",
        "http.client.request.duration",
        "http.client.duration",
        "rpc.client.call.duration",
        "rpc.client.duration",
        "messaging.client.operation.duration",
        "messaging.publish.duration",
    }
)
_MILLISECONDS = {"ms", "milliseconds"}
_QUANTILES = ((0.5, "p50"), (0.95, "p95"))
_OK_STATUS = {"", "0", "OK", "ok"}

_EdgeKey = tuple[str, str, str, str | None, int]
"""Domain, caller, callee, the caller's instance, event time."""


class EdgeCollector:
    """Adds up what one record says about each edge, over connection types, operations and status codes."""

    def __init__(self, into: TelemetryBuilder) -> None:
        self._into = into
        self._sums: dict[tuple[_EdgeKey, str], float] = {}
        self._cells: dict[tuple[_EdgeKey, str], Cells] = {}
        self._exact: dict[tuple[_EdgeKey, str], float] = {}
        self._gaps: set[_EdgeKey] = set()

    def take(self, metric: Metric, resource: Resource, fallback_ms: int) -> bool:
        """Take a whole metric if it describes edges; the caller goes on with it otherwise.

        A client metric with points that name no peer is not taken.
        """
        if metric.name.startswith(GRAPH_PREFIX) or metric.name == GAP_METRIC:
            self._graph(metric, resource, fallback_ms)
            return True
        if metric.name in CLIENT_METRICS and metric.shape in ("histogram", "exponential"):
            return self._client(metric, resource, fallback_ms)
        return False

    def flush(self) -> int:
        """Hand the sums and quantiles on as samples; returns how many."""
        taken = 0
        for (edge, name), value in self._sums.items():
            taken += self._sample(edge, name, value)
        for (edge, side), cells in self._cells.items():
            for q, suffix in _QUANTILES:
                value_or_none = quantile(cells, q)
                if value_or_none is not None:
                    taken += self._sample(edge, f"{side}_{suffix}_s", value_or_none)
        for (edge, name), value in self._exact.items():
            taken += self._sample(edge, name, value)
        return taken + self._estimate_gaps()

    def _estimate_gaps(self) -> int:
        taken = 0
        for (edge, side), cells in self._cells.items():
            server = self._cells.get((edge, "server"))
            if side != "client" or server is None or edge in self._gaps:
                continue
            client_p95, server_p95 = quantile(cells, 0.95), quantile(server, 0.95)
            if client_p95 is not None and server_p95 is not None:
                taken += self._sample(edge, "gap_p95_s", max(0.0, client_p95 - server_p95))
        return taken

    def _sample(self, edge: _EdgeKey, name: str, value: float) -> int:
        domain, caller, callee, instance, ts_ms = edge
        series = Series(
            caller,
            name,
            instance,
            callee,
            "s" if name.endswith("_s") else None,
            Kind.DELTA if name in ("calls", "errors") else Kind.GAUGE,
        )
        return self._into.sample(domain, series, ts_ms, value)

    def _add(self, edge: _EdgeKey, name: str, value: float) -> None:
        known = self._sums.get((edge, name))
        self._sums[edge, name] = value if known is None else known + value

    def _graph(self, metric: Metric, resource: Resource, fallback_ms: int) -> None:
        what = metric.name.removeprefix(GRAPH_PREFIX)
        scale = 0.001 if metric.unit in _MILLISECONDS else 1.0
        for point in metric.points:
            client, server = point.attributes.get("client"), point.attributes.get("server")
            if not client or not server:
                continue
            domain = _graph_domain(point.attributes, resource.domain)
            caller = qualify(client, _dimension(point.attributes, "client", "service.namespace"))
            callee = qualify(server, _dimension(point.attributes, "server", "service.namespace"))
            ts_ms = point.time_ns // 1_000_000 or fallback_ms
            edge = (domain, caller, callee, None, ts_ms)
            kind = point.attributes.get("connection_type")
            if kind:
                self._announce(edge, EdgeSource.SERVICE_GRAPH, _graph_kind(kind, client))
            stream = stream_of(resource, metric.name, point.attributes)
            match point:
                case NumberPoint() if what in _GRAPH_SUMS:
                    grown = _growth(point, metric.temporality, stream, self._into)
                    if grown is not None:
                        self._add(edge, _GRAPH_SUMS[what], grown)
                        if point.attributes.get("failed") == "true" and what == "total":
                            self._add(edge, "errors", grown)
                case SummaryPoint():
                    self._summary(edge, metric.name, _GRAPH_SIDES.get(what), point, scale)
                case HistogramPoint() | ExponentialPoint() if what in _GRAPH_SIDES:
                    found = interval(point, metric.temporality, stream, self._into)
                    if found is not None:
                        self._merge(edge, _GRAPH_SIDES[what], found.cells, scale)

    def _summary(
        self, edge: _EdgeKey, name: str, side: str | None, point: SummaryPoint, scale: float
    ) -> None:
        wanted = {q: f"{side}_{suffix}_s" for q, suffix in _QUANTILES} if side else {}
        if name == GAP_METRIC:
            wanted = {0.95: "gap_p95_s"}
            self._gaps.add(edge)
        for q, value in point.quantiles:
            if q in wanted:
                self._exact[edge, wanted[q]] = value * scale

    def _client(self, metric: Metric, resource: Resource, fallback_ms: int) -> bool:
        peers = [peer_of(point.attributes, resource) for point in metric.points]
        if not all(peers):
            return False
        scale = 0.001 if (metric.unit or _OLD_UNITS.get(metric.name)) in _MILLISECONDS else 1.0
        for point, peer in zip(metric.points, peers, strict=True):
            if peer is None or not isinstance(point, HistogramPoint | ExponentialPoint):
                continue
            ts_ms = point.time_ns // 1_000_000 or fallback_ms
            edge = (resource.domain, resource.service, peer.service, resource.instance, ts_ms)
            self._announce(edge, EdgeSource.CLIENT_METRIC, peer.kind)
            stream = stream_of(resource, metric.name, point.attributes)
            found = interval(point, metric.temporality, stream, self._into)
            if found is None:
                continue
            self._add(edge, "calls", float(found.total))
            self._add(edge, "errors", float(found.total) if _failed(point.attributes) else 0.0)
            self._merge(edge, "client", found.cells, scale)
        return True

    def _merge(self, edge: _EdgeKey, side: str, cells: Cells, scale: float) -> None:
        known = self._cells.setdefault((edge, side), {})
        for (lower, upper), count in cells.items():
            cell = (lower * scale, upper * scale)
            known[cell] = known.get(cell, 0) + count

    def _announce(self, edge: _EdgeKey, source: EdgeSource, kind: str | None) -> None:
        announce(
            self._into,
            Edge(
                domain=edge[0],
                caller=edge[1],
                callee=edge[2],
                source=source,
                callee_kind=kind,
                first_seen_ms=edge[4],
                last_seen_ms=edge[4],
            ),
        )


_OLD_UNITS = {"http.client.duration": "ms", "rpc.client.duration": "ms"}
"""Conventions before 1.23 counted in ms; their unit is not always given."""


def announce(into: TelemetryBuilder, edge: Edge) -> int:
    """Add an edge item on first sight, and again at most every five minutes of event time."""
    key = "\x1f".join((edge.domain, edge.caller, edge.callee, edge.source))
    if edge.caller == edge.callee or not into.state.should_announce(key, edge.last_seen_ms, into.latest_ms):
        return 0
    return into.item(edge)


def _growth(point: NumberPoint, temporality: int, stream: str, into: TelemetryBuilder) -> float | None:
    """What a sum grew by since its previous point; None for a baseline, a duplicate or a late point."""
    if temporality != CUMULATIVE:
        return point.value
    previous = into.state.peek(stream)
    if previous is not None and into.is_late(previous[1], point.time_ns):
        return None
    into.state.exchange(stream, [point.start_ns, point.time_ns, point.value])
    if previous is None:
        return None
    restarted = point.start_ns and previous[0] and point.start_ns != previous[0]
    if restarted or point.value < previous[2]:
        return point.value
    return float(point.value - previous[2])


def _failed(attributes: Attributes) -> bool:
    if attributes.get("error.type") or attributes.get("rpc.grpc.status_code", "") not in _OK_STATUS:
        return True
    status = attributes.get("http.response.status_code") or attributes.get("http.status_code") or ""
    return status.startswith("5")


def _dimension(attributes: Mapping[str, str], side: str, key: str) -> str | None:
    """A dimension that the service graph copied from one side, in the spellings in use."""
    for spelling in (f"{side}_{key}", f"{side}_{key.replace('.', '_')}"):
        if attributes.get(spelling):
            return attributes[spelling]
    return None


def _graph_domain(attributes: Mapping[str, str], default: str) -> str:
    for key in DOMAIN_KEYS:
        found = _dimension(attributes, "client", key) or _dimension(attributes, "server", key)
        if found:
            return found
    return default


def _graph_kind(connection_type: str, client: str) -> str | None:
    """What the server of an edge is; None for a service like any other.

    Who takes a message is one. Of an edge with one end that sends no spans that end is the server, unless the
    client is the one that the connector makes up for requests from outside.
    """
    if connection_type == "messaging_system":
        return None
    if connection_type == "virtual_node":
        return None if client == OUTSIDE else "external"
    return connection_type
