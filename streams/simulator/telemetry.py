"""What instruments deliver of the plant: samples per instance and calls per edge.

Every instance is scraped at its own second; some scrapes fail, and some agents lose their uplink and
deliver later what they kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.simulator.chunk import Chunk
from streams.simulator.dialect import PROMETHEUS, Totals
from streams.simulator.graph import System
from streams.simulator.instruments import Instruments
from streams.simulator.metrics import METRICS, Metric
from streams.simulator.state import Wiring
from streams.simulator.writer import EDGE_VALUES, Names

Columns = dict[str, NDArray[np.generic]]
_SAMPLE = ("ts_ms", "service", "instance", "metric", "unit", "kind", "value")


@dataclass
class Sensor:
    """Turns chunks into rows of `metrics.parquet`, and of `arrivals.parquet` for what came late."""

    system: System
    names: Names
    blur: Instruments
    missing: float = 0.002
    outage: float = 2e-4
    """Chance per interval that an instance cannot be reached, for a minute on average."""
    buffered: float = 0.4
    """Share of the outages after which the agent delivers what it kept."""
    _totals: Totals = field(default_factory=Totals)
    _slots: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Metric to the instances that emit it."""
    _phase_ms: NDArray[np.int64] | None = None
    _out: NDArray[np.int64] | None = None
    _keeps: NDArray[np.bool_] | None = None

    def samples(self, chunk: Chunk) -> tuple[Columns, Columns]:
        """Metric rows of a chunk, and which of them arrived how late; strings as numbers of `names`."""
        rng, interval_s = self.blur.rng, self.blur.interval_s
        if self._phase_ms is None:
            slots = chunk.names.shape[1]
            self._phase_ms = np.asarray(rng.integers(0, int(600 * interval_s), slots))
        ts = (chunk.end_s * 1000.0).astype(np.int64)[:, None] + self._phase_ms[None, :]
        # A scrape takes its time; 0.5 % of the interval is what the recordings show.
        ts = ts + rng.exponential(5.0 * interval_s, ts.shape).astype(np.int64)
        lost, late_s = self._reachable(chunk)
        seen = ~lost & (chunk.of("up") > 0.0)
        self._totals.begin(chunk)
        parts = [
            self._rows(metric, chunk.within(slots), ts, seen, late_s)
            for metric in METRICS
            if len(slots := self._emitters(metric, chunk))
        ]
        rows = {name: np.concatenate([part[name] for part in parts]) for name in (*_SAMPLE, "late_s")}
        behind = rows.pop("late_s")
        late = np.nonzero(behind > 0)[0]
        arrivals: Columns = {name: rows[name][late] for name in ("ts_ms", "service", "instance", "metric")}
        arrivals["arrived_ms"] = rows["ts_ms"][late] + (1000.0 * behind[late]).astype(np.int64)
        return rows, arrivals

    def _rows(
        self,
        metric: Metric,
        chunk: Chunk,
        ts: NDArray[np.int64],
        seen: NDArray[np.bool_],
        late_s: NDArray[np.float64],
    ) -> Columns:
        owner, services = chunk.owners, self.system.services
        spoken = np.array([s.dialect == "prometheus" for s in services])[owner]
        values = metric.read(self.blur, chunk)
        said = [(metric.name, metric.unit, metric.kind)] * len(owner)
        if metric.name in PROMETHEUS and spoken.any():
            foreign = PROMETHEUS[metric.name]
            said = [foreign if p else own for p, own in zip(spoken, said, strict=True)]
            if foreign[2] == "counter":
                increments = values * (chunk.interval_s if metric.kind == "gauge" else 1.0)
                values = np.where(spoken, self._totals.add(metric.name, increments, chunk.slots), values)
        t, nth = np.nonzero(seen[:, chunk.slots] & (self.blur.rng.random(chunk.shape) > self.missing))
        slot = chunk.slots[nth]
        words = np.array([[self.names.id(word) for word in triple] for triple in said], np.int32)
        service = np.array([self.names.id(s.name) for s in services], np.int32)[owner]
        return {
            "ts_ms": ts[t, slot],
            "service": service[nth],
            "instance": chunk.names[t, slot],
            "metric": words[nth, 0],
            "unit": words[nth, 1],
            "kind": words[nth, 2],
            "value": values[t, nth],
            "late_s": late_s[t, slot],
        }

    def _emitters(self, metric: Metric, chunk: Chunk) -> NDArray[np.int64]:
        if metric.name not in self._slots:
            services = range(len(self.system.services))
            wanted = np.array([metric.wants(self.system, s) for s in services])
            self._slots[metric.name] = np.nonzero(wanted[chunk.owners])[0]
        return self._slots[metric.name]

    def _reachable(self, chunk: Chunk) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which samples are lost, and how many seconds late the kept ones arrive."""
        steps, slots = chunk.names.shape
        rng, interval_s = self.blur.rng, self.blur.interval_s
        if self._out is None or self._keeps is None:
            self._out, self._keeps = np.zeros(slots, np.int64), np.zeros(slots, bool)
        begins = rng.random((steps, slots)) < self.outage
        lengths = rng.geometric(min(interval_s / 60.0, 0.99), (steps, slots))
        keeps = rng.random((steps, slots)) < self.buffered
        lost, late_s = np.zeros((steps, slots), bool), np.zeros((steps, slots))
        for t in range(steps):
            begun = begins[t] & (self._out <= 1)
            self._out = np.maximum(self._out - 1, 0) + np.where(begun, lengths[t], 0)
            self._keeps = np.where(begun, keeps[t], self._keeps)
            away = self._out > 0
            lost[t], late_s[t] = (
                away & ~self._keeps,
                np.where(away & self._keeps, self._out * interval_s, 0.0),
            )
        return lost, late_s


@dataclass
class EdgeSensor:
    """Turns chunks into rows of `edges.parquet`."""

    system: System
    wiring: Wiring
    names: Names
    blur: Instruments

    def calls(self, chunk: Chunk) -> Columns:
        """All edge rows of a chunk, as columns; server-side ones are NaN where the callee emits no spans."""
        rows = [
            (r, self.system.edges[e])
            for r, e in enumerate(self.wiring.edges)
            if self.system.edges[e].observed
        ]
        index = np.array([r for r, _ in rows], np.int64)
        edge = chunk.edge[:, index]
        # What the callee's spans tell rests on the traces that were kept; client metrics see every call.
        traced = np.array([self.system.service(e.callee).traced for _, e in rows])
        kept = np.where(traced, self.system.sampled, 1.0)[None, :]
        spans = self.blur.count(edge["attempts"] * chunk.interval_s * kept)
        failed = np.minimum(self.blur.count(edge["calls"] * edge["fail"] * chunk.interval_s * kept), spans)
        attempts, errors = spans / kept, failed / kept
        client = np.log(edge["p95_s"] / np.maximum(edge["p50_s"], 1e-9)) / np.log(19.0)
        server = np.log(edge["server_p95_s"] / np.maximum(edge["server_p50_s"], 1e-9)) / np.log(19.0)
        values = {
            "calls": attempts,
            "errors": errors,
            "client_p50_s": self.blur.quantile(edge["p50_s"], spans, client, 0.5),
            "client_p95_s": self.blur.quantile(edge["p95_s"], spans, client, 0.95),
            "server_p50_s": self.blur.quantile(edge["server_p50_s"], spans, server, 0.5),
            "server_p95_s": self.blur.quantile(edge["server_p95_s"], spans, server, 0.95),
        }
        gap = np.maximum(edge["p95_s"] - edge["server_p95_s"], 1e-4)
        values["gap_p95_s"] = self.blur.quantile(gap, spans, np.full(gap.shape, 0.12), 0.95)
        for name in ("server_p50_s", "server_p95_s", "gap_p95_s"):
            values[name] = np.where(traced[None, :], values[name], np.nan)
        seen = attempts > 0.0
        at = np.nonzero(seen)
        caller = np.array([self.names.id(e.caller) for _, e in rows], np.int32)
        callee = np.array([self.names.id(e.callee) for _, e in rows], np.int32)
        ends = (chunk.end_s * 1000.0).astype(np.int64)
        out: Columns = {
            "ts_ms": ends[at[0]],
            "caller": caller[at[1]],
            "callee": callee[at[1]],
        }
        return out | {name: values[name][at] for name in EDGE_VALUES}
