"""What a blind run shows to a detector and an engine, and in which order."""

import numpy as np
import pyarrow as pa
import pytest

from correlator.engine import Engine
from correlator.incident import Incident
from detectors.pipeline import Detector
from streams.errors import RecordingError
from streams.evaluation.feed import Telemetry, evidence_of
from streams.evaluation.run import run_blind
from streams.evaluation.score import score
from streams.evaluation.signals import chosen_signals
from streams.recording import tables
from tests.scripted import ALL, HOUR, MINUTE, START, EchoDetector, ScriptedEngine, blind, echo, quiet, write


@pytest.mark.parametrize("make", [Detector, EchoDetector])
def test_a_detector_closes_ticks_once_and_counts_late_samples(make):
    from detectors.telemetry import SampleBatch, Series

    detector = make("shop")
    number = detector.catalog.intern(Series("cart", "cpu"))

    def batch(ts_ms):
        return SampleBatch(np.array([ts_ms]), np.array([number], np.int32), np.array([1.0]))

    assert detector.advance(START) == []
    detector.observe(batch(START + 1))
    assert all(tick.end_ms == START + 15_000 for tick in detector.advance(START + MINUTE))
    assert detector.advance(START + MINUTE) == []
    detector.observe(batch(START + 1))
    assert detector.late == 1


@pytest.mark.parametrize("make", [Engine, ScriptedEngine])
def test_an_engine_speaks_only_when_the_watermark_moves(make):
    engine = make("shop")
    for minute in range(3):
        assert engine.apply(echo("shop", START + minute, _series(), 12.0)) == []
    assert isinstance(engine.rank_at(START), Incident)


def _series():
    from detectors.telemetry import Series

    return Series("cart", "cpu")


@pytest.mark.parametrize("chunk_ms", [1, MINUTE, 7 * MINUTE, HOUR, 99 * HOUR])
def test_the_evidence_does_not_depend_on_how_telemetry_is_cut(tmp_path, chunk_ms):
    recording = write(
        tmp_path / "r",
        [float(i % 7) for i in range(130)],
        changes=[
            {"id": f"c{i}", "ts_ms": START + i * 11 * MINUTE, "kind": "flag", "service": "cart"}
            for i in range(9)
        ],
    )

    def said(width_ms):
        detector = EchoDetector("shop")
        log = list(evidence_of(Telemetry.read(recording, ALL), detector, last=True, chunk_ms=width_ms))
        assert detector.late == 0
        at, told = 0, []
        for item in log:
            if item.type == "progress":
                assert item.watermark_ms >= at
                at = item.watermark_ms
            else:
                assert item.ts_ms > at, "evidence came after a promise that nothing would"
                told.append(item)
        assert at > recording.end_ms
        return sorted(told, key=lambda item: (item.ts_ms, item.id))

    assert said(chunk_ms) == said(HOUR)


def test_only_the_chosen_signals_are_shown_and_topology_always(tmp_path):
    edges = {name: [1.0] for name in tables.EDGE_VALUES}
    recording = write(
        tmp_path / "r",
        quiet(10),
        edges=pa.table({"ts_ms": [START], "caller": ["front"], "callee": ["cart"], **edges}),
        changes=[{"id": "c", "ts_ms": START, "kind": "flag", "service": "cart"}],
        alerts=[{"id": "a", "ts_ms": START, "service": "cart", "name": "Slow"}],
        topology={"nodes": [], "edges": [{"caller": "front", "callee": "cart"}]},
    )

    def types(text):
        log = evidence_of(Telemetry.read(recording, chosen_signals(text)), EchoDetector("shop"), last=True)
        return {item.type for item in log if item.type != "progress"}

    assert types(None) == {"anomaly", "edge", "change", "alert"}
    assert types("metrics") == {"anomaly", "edge"}
    assert types("changes") == {"change", "edge"}
    assert types("topology") == {"edge"}


def test_history_is_run_first_and_its_incidents_are_not_counted(tmp_path):
    write(tmp_path / "before", quiet(120, at_60=9), start_ms=START - 3 * HOUR)
    recording = write(tmp_path / "r", quiet(120, at_30=9), history=["../before"])
    run = blind(recording)
    heard = [item.ts_ms for item in run.evidence if item.type == "anomaly"]
    assert heard[0] == START - 3 * HOUR
    assert heard == sorted(heard)
    assert [incident.onset_ms for incident in run.incidents] == [START + 30 * MINUTE]


def test_a_history_that_ends_where_the_recording_begins_makes_nothing_late(tmp_path):
    write(tmp_path / "before", quiet(61), start_ms=START - HOUR)
    detectors = []

    def detector(domain):
        detectors.append(EchoDetector(domain))
        return detectors[-1]

    recording = write(tmp_path / "r", quiet(10), history=["../before"], start_ms=START + 1)
    run_blind(recording, ALL, detector=detector, engine=ScriptedEngine)
    assert len(detectors) == 1
    assert detectors[0].late == 0


def test_a_history_of_another_system_is_refused(tmp_path):
    write(tmp_path / "before", quiet(3))
    manifest = tmp_path / "before/recording.json"
    manifest.write_text(manifest.read_text().replace('"shop"', '"bank"'))
    with pytest.raises(RecordingError, match="is of system 'bank'"):
        blind(write(tmp_path / "r", quiet(3), history=["../before"]))


def test_a_run_never_opens_the_truth(tmp_path):
    recording = write(tmp_path / "r", quiet(120, at_60=9))
    unlabelled = blind(recording)
    for name in ("labels.jsonl", "ignore.jsonl"):
        (recording.path / name).write_text("must not be read\n")
    assert blind(recording).incidents == unlabelled.incidents
    with pytest.raises(RecordingError, match=r"labels\.jsonl, line 1: not JSON"):
        score(unlabelled, engine=ScriptedEngine)
