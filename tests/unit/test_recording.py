import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detectors.telemetry import Kind, Series
from streams.errors import RecordingError
from streams.recording import (
    Ignored,
    Label,
    Recording,
    edge_samples,
    find_recordings,
    metric_samples,
    tables,
    write_recording,
)

START = 1_700_000_000_000


def metric_table(*rows):
    names = tables.schema_of(tables.METRICS).names
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows], schema=tables.schema_of(tables.METRICS)
    )


ROWS = (
    (START + 60_000, "cart", "cart-0", "cpu", "%", "gauge", 5.0),
    (START, "cart", "cart-0", "cpu", "%", "gauge", 4.0),
    (START, "cart", None, "requests", "", "delta", 9.0),
    (START + 60_000, "cart", None, "requests", "", "delta", math.nan),
)


def write(path: Path, **overrides):
    given = dict(
        name="tiny",
        system="shop",
        start_ms=START,
        end_ms=START + 60_000,
        interval_s=60,
        metrics=metric_table(*ROWS),
    )
    return write_recording(path, **(given | overrides))


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "tiny",
        changes=[{"id": "c1", "ts_ms": START, "kind": "deploy", "service": "cart", "summary": "v2"}],
        alerts=[{"id": "a1", "ts_ms": START, "service": "cart", "name": "Slow", "severity": "page"}],
        topology={
            "nodes": [{"service": "cart"}, {"service": "redis", "kind": "redis"}],
            "edges": [{"caller": "cart", "callee": "redis", "source": "declared"}],
        },
        labels=[
            Label("f2", START + 5, None, "cart"),
            {"fault_id": "f1", "start_ms": START, "end_ms": START + 1, "root_service": "redis"},
        ],
        ignored=[Ignored(START, START + 3, "unlisted")],
        history=["../before"],
    )


def test_what_was_written_is_read(folder):
    recording = Recording.open(folder)
    assert (recording.name, recording.system, recording.interval_s) == ("tiny", "shop", 60)
    assert recording.signals == ("metrics", "changes", "alerts", "topology")
    assert recording.history == (folder.parent / "before",)
    assert [(c.id, c.domain, c.kind) for c in recording.changes()] == [("c1", "shop", "deploy")]
    assert [(a.id, a.domain) for a in recording.alerts()] == [("a1", "shop")]
    (edge,) = recording.declared_edges()
    assert (edge.caller, edge.callee, edge.source, edge.callee_kind) == ("cart", "redis", "declared", "redis")
    assert edge.first_seen_ms == edge.last_seen_ms == START
    assert [label.fault_id for label in recording.labels()] == ["f1", "f2"]
    assert recording.ignored() == (Ignored(START, START + 3, "unlisted"),)
    assert recording.edges() is None
    assert recording.logs() is None


def test_metrics_become_series_in_time_order_without_missing_samples(folder):
    samples = metric_samples(Recording.open(folder).metrics())
    assert set(samples.series) == {
        Series("cart", "cpu", "cart-0", unit="%", kind=Kind.GAUGE),
        Series("cart", "requests", None, unit=None, kind=Kind.DELTA),
    }
    told = [
        (t, samples.series[i].metric, v)
        for t, i, v in zip(samples.ts_ms, samples.index, samples.value, strict=True)
    ]
    assert told == [(START, "cpu", 4.0), (START, "requests", 9.0), (START + 60_000, "cpu", 5.0)]


def test_rows_that_differ_in_any_part_of_their_identity_are_different_series():
    base = (START, "cart", "i", "m", "s", "gauge", 1.0)
    others = [
        (START, "pay", "i", "m", "s", "gauge", 1.0),
        (START, "cart", None, "m", "s", "gauge", 1.0),
        (START, "cart", "i", "n", "s", "gauge", 1.0),
        (START, "cart", "i", "m", None, "gauge", 1.0),
        (START, "cart", "i", "m", "s", "counter", 1.0),
    ]
    samples = metric_samples(metric_table(base, *others, base))
    assert len(samples.series) == 6
    assert samples.index.tolist() == [0, 1, 2, 3, 4, 5, 0]


def test_edges_become_one_series_a_column_with_the_callee_as_peer():
    table = pa.table(
        {
            "ts_ms": [START, START],
            "caller": ["front", "front"],
            "callee": ["cart", "pay"],
            **{name: [1.0, math.nan] for name in tables.EDGE_VALUES},
        }
    )
    samples = edge_samples(table)
    assert len(samples) == len(tables.EDGE_VALUES)
    found = {s.metric: s for s in (samples.series[i] for i in samples.index)}
    assert found["calls"] == Series("front", "calls", peer="cart", kind=Kind.DELTA)
    assert found["errors"].kind is Kind.DELTA
    assert found["gap_p95_s"] == Series("front", "gap_p95_s", peer="cart", unit="s", kind=Kind.GAUGE)


def test_an_edge_file_may_lack_latencies(tmp_path):
    write(tmp_path / "r")
    pq.write_table(
        pa.table({"ts_ms": [START], "caller": ["a"], "callee": ["b"], "calls": [3]}),
        tmp_path / "r/edges.parquet",
    )
    samples = edge_samples(Recording.open(tmp_path / "r").edges())
    assert [samples.series[i].metric for i in samples.index] == ["calls"]


def test_empty_streams_are_recordings_like_any_other(tmp_path):
    empty = write(
        tmp_path / "r",
        metrics=metric_table(),
        edges=tables.schema_of(tables.EDGES).empty_table(),
        logs=tables.schema_of(tables.LOGS).empty_table(),
        changes=[],
        labels=[],
        topology={"nodes": [], "edges": []},
    )
    recording = Recording.open(empty)
    assert len(metric_samples(recording.metrics())) == 0
    assert len(edge_samples(recording.edges())) == 0
    assert recording.logs().num_rows == 0
    assert recording.changes() == recording.labels() == recording.declared_edges() == ()


def test_the_same_input_is_written_as_the_same_bytes(tmp_path):
    one, two = write(tmp_path / "one"), write(tmp_path / "two")
    assert sorted(f.name for f in one.iterdir()) == ["metrics.parquet", "recording.json"]
    for file in one.iterdir():
        assert file.read_bytes() == (two / file.name).read_bytes()


def test_a_recording_is_never_overwritten(folder):
    with pytest.raises(RecordingError, match="holds a recording already"):
        write(folder)


def test_an_interrupted_run_leaves_nothing_that_passes_for_a_recording(tmp_path):
    def labels():
        yield Label("f1", START, None, "cart")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "r", labels=labels())
    assert (tmp_path / "r/metrics.parquet").exists()
    with pytest.raises(RecordingError, match="not a recording"):
        Recording.open(tmp_path / "r")


def test_dictionary_and_narrow_columns_are_understood(tmp_path):
    write(tmp_path / "r")
    table = metric_table(*ROWS)
    table = table.set_column(1, "service", table["service"].dictionary_encode())
    table = table.set_column(6, "value", table["value"].cast(pa.float32()))
    table = table.set_column(2, "instance", table["instance"].cast(pa.large_string()))
    pq.write_table(table, tmp_path / "r/metrics.parquet")
    assert Recording.open(tmp_path / "r").metrics().schema == tables.schema_of(tables.METRICS)


def broken_column(name, values):
    table = metric_table(*ROWS)
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (metric_table(*ROWS).drop_columns(["unit"]), r"column 'unit' is missing"),
        (broken_column("value", pa.array(["a"] * 4)), r"column 'value' holds string, expected double"),
        (broken_column("ts_ms", pa.array([1.5] * 4)), r"column 'ts_ms' holds double, expected int64"),
        (
            broken_column("service", pa.array(["a", None, "b", "c"])),
            r"column 'service' has no value in row 1",
        ),
        (broken_column("ts_ms", pa.array([2**63] * 4, pa.uint64())), r"column 'ts_ms': .*"),
    ],
)
def test_a_wrong_column_is_named(tmp_path, table, says):
    folder = write(tmp_path / "r")
    pq.write_table(table, folder / "metrics.parquet")
    with pytest.raises(RecordingError, match=rf"metrics\.parquet: {says}"):
        Recording.open(folder).metrics()


def test_an_unknown_kind_is_named(tmp_path):
    with pytest.raises(RecordingError, match="column 'kind' has 'sum'"):
        metric_samples(metric_table((START, "cart", None, "m", None, "sum", 1.0)), tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 200])
def test_a_half_written_parquet_file_is_said_to_be_one(folder, kept):
    file = folder / "metrics.parquet"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(RecordingError, match=r"metrics\.parquet: not a complete Parquet file"):
        Recording.open(folder).metrics()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: expected a JSON object, found list"),
        ('{"id": "c2", "ts_ms": 1, "kind": "rollback", "service": "cart"}', "line 2: kind: "),
        ('{"id": "c2", "kind": "deploy", "service": "cart"}', "line 2: ts_ms: "),
    ],
)
def test_a_bad_line_is_named_by_its_number(folder, line, says):
    file = folder / "changes.jsonl"
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(RecordingError, match=rf"changes\.jsonl, {says}"):
        Recording.open(folder).changes()


@pytest.mark.parametrize("field", ["format", "name", "system", "start_ms", "end_ms", "interval_s"])
def test_a_manifest_without_a_field_names_it(folder, field):
    file = folder / "recording.json"
    found = json.loads(file.read_text())
    del found[field]
    file.write_text(json.dumps(found))
    with pytest.raises(RecordingError, match=rf"recording\.json: {field}: "):
        Recording.open(folder)


def test_a_format_of_the_future_is_refused(folder):
    file = folder / "recording.json"
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(RecordingError, match="format: "):
        Recording.open(folder)


def test_a_promised_file_that_is_missing_is_named(folder):
    (folder / "changes.jsonl").unlink()
    with pytest.raises(RecordingError, match=r"changes\.jsonl is missing"):
        Recording.open(folder)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "there is no such folder"),
        (lambda path: path.mkdir(), "no recording in it"),
        (lambda path: path.write_text("x"), "is a file; a recording is a folder"),
        (lambda path: (path.mkdir(), (path / "recording.json").write_text("{")), "not JSON"),
    ],
)
def test_a_path_without_a_recording_says_so(tmp_path, make, says):
    make(tmp_path / "x")
    with pytest.raises(RecordingError, match=says):
        find_recordings([tmp_path / "x"])


def test_a_folder_of_recordings_is_taken_whole_and_each_once(tmp_path):
    for name in ("b", "a", "set/c"):
        write(tmp_path / name, name=name)
    found = find_recordings([tmp_path / "b", tmp_path])
    assert [recording.name for recording in found] == ["b", "a", "set/c"]


def test_thousands_of_rows_keep_their_identity():
    rng = np.random.default_rng(5)
    rows = [
        (
            START + int(t),
            f"s{rng.integers(9)}",
            f"i{rng.integers(3)}",
            f"m{rng.integers(7)}",
            None,
            "gauge",
            float(t),
        )
        for t in range(3000)
    ]
    samples = metric_samples(metric_table(*rows))
    for row, i in zip(rows, samples.index, strict=True):
        assert (row[1], row[3], row[2]) == samples.series[i][:3]
