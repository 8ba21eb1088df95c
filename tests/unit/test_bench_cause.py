"""BARO and N-Sigma are asked on what was measured, cut where each fault began."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from streams.recording import metric_samples, tables, write_recording

BENCH = Path(__file__).parents[2] / "bench"
MINUTE_MS = 60_000
START_MS = 10_000 * MINUTE_MS + 7_000
"""Not on a full minute: the intervals of a table begin at the fault, not at the clock's minute."""


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(BENCH))
    try:
        import cause_table
        import cause_told

        yield cause_table, cause_told
    finally:
        sys.path.remove(str(BENCH))


def rows(service, metric, values, *, instance=None, kind="gauge", from_minute=0, offset_ms=0):
    return [
        (START_MS + (from_minute + n) * MINUTE_MS + offset_ms, service, instance, metric, None, kind, value)
        for n, value in enumerate(values)
    ]


def metrics(*series):
    names = [column.name for column in tables.METRICS]
    found = [dict(zip(names, row, strict=True)) for one in series for row in one]
    return pa.Table.from_pylist(found, schema=tables.schema_of(tables.METRICS))


def column(table, name):
    return table.values[:, list(table.services).index(name)]


def test_no_sample_before_the_fault_counts_as_anomalous_and_none_after_the_patience_is_read(bench):
    make, _ = bench
    samples = metric_samples(metrics(rows("cart", "cpu", range(200), from_minute=-100, offset_ms=-1)))
    table = make.table(samples, START_MS, MINUTE_MS, 5 * MINUTE_MS)
    assert table.rows.tolist() == [*range(-60, 0), 0, 1, 2, 3, 4]
    # Sample number 100 lies 1 ms before the fault.
    assert column(table, "cart_cpu").tolist() == list(range(41, 106))


def test_instances_are_averaged_and_what_they_count_is_added_as_a_rate(bench):
    make, _ = bench
    samples = make.rates(
        metric_samples(
            metrics(
                rows("cart", "cpu", [2.0, 2.0, 8.0], instance="a", from_minute=-2),
                rows("cart", "cpu", [4.0, np.nan, 4.0], instance="b", from_minute=-2),
                rows("cart", "served", [0, 60, 180], instance="a", kind="counter", from_minute=-2),
                # Restarted: what it counted in between is unknown, not negative.
                rows("cart", "served", [600, 660, 0], instance="b", kind="counter", from_minute=-2),
            )
        )
    )
    table = make.table(samples, START_MS, MINUTE_MS, 5 * MINUTE_MS)
    assert table.services == {"cart_cpu": "cart", "cart_served": "cart"}
    assert column(table, "cart_cpu").tolist() == [3.0, 2.0, 6.0]
    np.testing.assert_array_equal(column(table, "cart_served"), [np.nan, 2.0, 2.0])


def test_services_are_ranked_by_the_first_column_that_names_them(bench):
    make, _ = bench
    table = make.Table({"a_x_cpu": "a_x", "a_x_mem": "a_x", "b_cpu": "b"}, np.arange(0), np.empty((0, 3)))
    assert table.judged(["a_x_mem", "b_cpu", "a_x_cpu"]) == ["a_x", "b"]


def test_without_the_scorers_the_rest_is_printed_and_it_is_said_how_to_get_them(bench, tmp_path):
    _, told = bench
    quiet = [rows(name, "cpu_usage_pct", [10.0, 11.0] * 45, from_minute=-90) for name in ("cart", "shop")]
    ill = rows("cart", "cpu_usage_pct", [95.0] * 10)
    write_recording(
        tmp_path / "one",
        name="one",
        system="shop",
        start_ms=START_MS - 90 * MINUTE_MS,
        end_ms=START_MS + 10 * MINUTE_MS,
        interval_s=60,
        metrics=metrics(*quiet, ill, rows("shop", "cpu_usage_pct", [10.0, 11.0] * 5)),
        labels=[
            {
                "fault_id": "f",
                "start_ms": START_MS,
                "end_ms": None,
                "root_service": "cart",
                "fault_kind": "cpu",
            }
        ],
    )
    found = told.run(tmp_path, lambda _: None, tmp_path / ".venv-baro" / "bin" / "python")
    assert "pip install fse-baro==0.2.2" in found["baro"]
    assert found["shop"]["faults"] == 1
    assert found["shop"]["largest_deviation"] == {"ac1": 1.0, "ac3": 1.0, "avg5": 1.0}
    assert found["shop"]["headwater"]["ac1"] == 1.0
    assert "baro" not in found["shop"]
