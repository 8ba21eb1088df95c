"""What replay publishes is, decoded, exactly what the evaluation feeds the detector."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from correlator.evidence import Alert, Change, Edge
from detectors.catalog import Catalog
from detectors.telemetry import Series
from streams import settings as settings_module
from streams.recording import Recording, Samples, edge_samples, metric_samples, write_recording
from streams.recording.folder import MANIFEST
from streams.recording.tables import EDGE_VALUES, EDGES, LOGS, METRICS, schema_of
from streams.wire.decoders import Decoders
from streams.wire.encoders import OutgoingRecord, Timeline
from streams.wire.encoders.timeline import TICK_MS
from streams.wire.record import RawRecord
from streams.wire.telemetry import DomainTelemetry, TelemetryBuilder

T0 = 1_790_000_000_000
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
SERVICES = (
    st.sampled_from(["cart", "shop/cart", "a/b/c", "/odd", "odd/", "AWS::Step", "unknown_service:x", "pod-0"])
    | NAMES
)
MAYBE = st.none() | NAMES
VALUES = st.floats(allow_infinity=False) | st.just(float("nan"))
TIMES = st.integers(T0, T0 + 120_000)


@st.composite
def metric_tables(draw: Any) -> pa.Table:
    identities = draw(
        st.lists(
            st.tuples(SERVICES, MAYBE, NAMES, MAYBE, st.sampled_from(["gauge", "counter", "delta"])),
            min_size=1,
            max_size=6,
            unique=True,
        )
    )
    rows = draw(
        st.lists(
            st.tuples(TIMES, st.sampled_from(identities), VALUES), max_size=40, unique_by=lambda r: r[:2]
        )
    )
    rows.sort(key=lambda row: row[0])
    columns = [[row[0], *row[1], row[2]] for row in rows]
    return pa.table(list(map(list, zip(*columns, strict=True))) or [[]] * 7, schema=schema_of(METRICS))


@st.composite
def edge_tables(draw: Any) -> pa.Table:
    keys = draw(st.lists(st.tuples(TIMES, SERVICES, SERVICES), max_size=20, unique=True))
    rows = [[*key, *(draw(VALUES) for _ in EDGE_VALUES)] for key in sorted(keys)]
    return pa.table(list(map(list, zip(*rows, strict=True))) or [[]] * 10, schema=schema_of(EDGES))


@st.composite
def log_tables(draw: Any) -> pa.Table:
    severities = st.sampled_from([None, "INFO", "warn", "Error"])
    rows = draw(st.lists(st.tuples(TIMES, SERVICES, MAYBE, severities, st.text(max_size=40)), max_size=20))
    rows.sort(key=lambda row: row[0])
    return pa.table(list(map(list, zip(*rows, strict=True))) or [[]] * 5, schema=schema_of(LOGS))


CHANGES = st.builds(
    Change,
    id=NAMES,
    domain=st.just("shop"),
    ts_ms=TIMES,
    kind=st.sampled_from(["deploy", "config", "flag", "scale", "job", "migration", "other"]),
    service=SERVICES,
    summary=st.text(max_size=20),
    version_before=MAYBE,
    version_after=MAYBE,
    end_ms=st.none() | TIMES,
    attributes=st.dictionaries(NAMES, st.text(max_size=10), max_size=3),
)
ALERTS = st.builds(
    Alert,
    id=NAMES,
    domain=st.just("shop"),
    ts_ms=TIMES,
    service=SERVICES,
    name=NAMES,
    summary=st.text(max_size=9),
)


def decoded(records: list[OutgoingRecord]) -> tuple[dict[str, DomainTelemetry], dict[str, Catalog]]:
    catalogs: dict[str, Catalog] = {}
    builder = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
    decoders = Decoders()
    for offset, each in enumerate(records):
        decoders.decode(RawRecord(each.topic, 0, offset, each.key, each.value, each.headers), builder)
    return builder.take(), catalogs


def rows_of(samples: Samples, shift_ms: int = 0) -> Counter[tuple[Series, int, str]]:
    """Every sample as (series, time, exact value), and how often."""
    return Counter(
        (samples.series[i], ts + shift_ms, v.hex())
        for i, ts, v in zip(
            samples.index.tolist(), samples.ts_ms.tolist(), samples.value.tolist(), strict=True
        )
    )


def assert_same(recording: Recording, shift_ms: int = 0) -> None:
    ticks = list(Timeline(recording, shift_ms).ticks())
    found, catalogs = decoded([record for tick in ticks for record in tick.records])
    assert set(found) <= {recording.system}
    metrics, edges, logs = recording.metrics(), recording.edges(), recording.logs()
    expected = rows_of(metric_samples(metrics), shift_ms) if metrics is not None else Counter()
    expected += rows_of(edge_samples(edges), shift_ms) if edges is not None else Counter()
    telemetry = found.get(recording.system)
    got: Counter[tuple[Series, int, str]] = Counter()
    lines: list[tuple[Any, ...]] = []
    items: list[Any] = []
    if telemetry is not None:
        catalog, columns = catalogs[recording.system], telemetry.samples
        got = Counter(
            (catalog[number], ts, float(value).hex())
            for number, ts, value in zip(columns.series, columns.ts_ms, columns.value, strict=True)
        )
        log = telemetry.logs
        lines = list(zip(log.ts_ms, log.service, log.instance, log.severity, log.body, strict=True))
        items = list(telemetry.items)
    assert got == expected
    wanted = [tuple(row.values()) for row in logs.to_pylist()] if logs is not None else []
    assert Counter(lines) == Counter((ts + shift_ms, *rest) for ts, *rest in wanted)
    if shift_ms == 0:
        announced = [*recording.changes(), *recording.alerts(), *recording.declared_edges()]
        assert sorted(items, key=repr) == sorted(announced, key=repr)
    assert [tick.end_ms for tick in ticks] == sorted(tick.end_ms for tick in ticks)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    metrics=metric_tables(),
    edges=edge_tables(),
    logs=log_tables(),
    changes=st.lists(CHANGES, max_size=5),
    alerts=st.lists(ALERTS, max_size=3),
    calls=st.lists(st.tuples(SERVICES, SERVICES), max_size=5),
    shift=st.sampled_from([0, TICK_MS, -40 * TICK_MS]),
)
def test_a_replayed_recording_decodes_to_itself(
    metrics: pa.Table,
    edges: pa.Table,
    logs: pa.Table,
    changes: list[Change],
    alerts: list[Alert],
    calls: list[tuple[str, str]],
    shift: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_recording(
            Path(folder) / "r",
            name="r",
            system="shop",
            start_ms=T0,
            end_ms=T0 + 120_000,
            interval_s=15,
            metrics=metrics,
            edges=edges,
            logs=logs,
            changes=changes,
            alerts=alerts,
            topology={
                "nodes": [{"service": callee, "kind": "redis"} for _, callee in calls[:1]],
                "edges": [{"caller": caller, "callee": callee} for caller, callee in calls],
            },
        )
        assert_same(Recording.open(path), shift)


def test_a_shift_that_would_move_ticks_is_refused(tmp_path: Path) -> None:
    path = write_recording(
        tmp_path / "r",
        name="r",
        system="s",
        start_ms=0,
        end_ms=1,
        interval_s=1,
        metrics=pa.table([[]] * 7, schema=schema_of(METRICS)),
    )
    with pytest.raises(ValueError, match="multiple"):
        Timeline(Recording.open(path), shift_ms=1)


def beginning_of(recording: Recording, folder: Path) -> Recording:
    """A recording's first two hours; what it says of changes and topology stays whole."""
    end_ms = recording.start_ms + 2 * 3_600_000
    shutil.copytree(recording.path, folder)
    for file in folder.glob("*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.filter(pc.field("ts_ms") <= end_ms), file)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"end_ms": end_ms}))
    return Recording.open(folder)


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["train-ticket-0129", "online-boutique-0822", "petshop-train/low-0"])
def test_real_recordings_decode_to_themselves(name: str, tmp_path: Path) -> None:
    """Metrics of all three systems, lines of one, edges of two and changes of one."""
    folder = settings_module.load().recordings
    if folder is None:
        pytest.skip("HEADWATER_RECORDINGS is not set: the real recordings are not here")
    assert_same(beginning_of(Recording.open(folder / name), tmp_path / "beginning"))


def test_handwritten_metrics_bytes_are_the_librarys() -> None:
    from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

    from detectors.telemetry import Kind
    from streams.wire.encoders import otlp

    runs = [
        otlp.Run(Series("shop/cart", "cpu", "cart-0", unit="1"), [T0 + i for i in range(300)], [0.5] * 300),
        otlp.Run(Series("shop/cart", "requests", "cart-0", kind=Kind.COUNTER), [T0], [7.0]),
        otlp.Run(Series("shop/cart", "requests", "cart-1", kind=Kind.DELTA), [T0], [np.pi]),
    ]
    value = otlp.metrics("shop", runs)
    data = MetricsData.FromString(value)
    assert data.SerializeToString() == value
    assert len(data.resource_metrics) == 2
    assert len(data.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points) == 300


def test_edges_are_declared_in_one_record_per_caller() -> None:
    from streams.wire.encoders import items

    edges = [
        Edge(domain="s", caller="a", callee=callee, source="declared", first_seen_ms=1, last_seen_ms=1)
        for callee in ("b", "c")
    ]
    (record,) = items.topology(edges)
    assert record.key == b"a"
    found, _ = decoded([record])
    assert list(found["s"].items) == edges
