"""The load of the ingest benchmark is what its figures say it is."""

import sys
from pathlib import Path

import pytest

from detectors import Catalog
from streams.wire.decoders import Decoders
from streams.wire.record import RawRecord
from streams.wire.telemetry import TelemetryBuilder

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def ingest_load():
    sys.path.insert(0, str(BENCH))
    try:
        import ingest_load

        yield ingest_load
    finally:
        sys.path.remove(str(BENCH))


@pytest.mark.parametrize("series", [100, 1_000])
def test_every_series_gets_a_point_a_step_and_keeps_its_service_as_key(ingest_load, series):
    catalogs = {}
    into = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
    decoders = Decoders()
    for number in range(2 * series):
        key, value = ingest_load.sample(number, series)
        record = RawRecord("headwater.metrics", 0, number, key, value)
        assert decoders.decode(record, into) == 1
        assert decoders.split(record) == [(key.decode(), value)]
    samples = into.take()["bench"].samples

    assert len(catalogs["bench"]) == series
    assert sorted(set(samples.ts_ms.tolist())) == [
        ingest_load.T0_MS,
        ingest_load.T0_MS + ingest_load.STEP_MS,
    ]
