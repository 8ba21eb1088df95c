"""The wiring of a blind run, seen through a detector and an engine that do as a script says."""

import math

import numpy as np
import pyarrow as pa
import pytest

from correlator.engine import Engine, EngineConfig
from correlator.incident import Abstention, Hypothesis, Incident
from detectors.anomaly import Anomaly, Family, Signal
from detectors.catalog import Catalog
from detectors.pipeline import Detector, DetectorConfig, EdgeSeen, Tick
from streams.errors import RecordingError
from streams.evaluation.feed import Telemetry, evidence_of
from streams.evaluation.figures import figures
from streams.evaluation.run import run_blind
from streams.evaluation.score import score
from streams.evaluation.signals import SIGNALS, chosen_signals
from streams.recording import Label, Recording, tables, write_recording

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_700_000_000_000 // HOUR * HOUR
ALL = frozenset(SIGNALS)


class EchoDetector:
    """Says every sample as an anomaly, in the tick that it falls into: a detector without a threshold."""

    def __init__(self, domain, config=None):
        self.domain = domain
        self.config = config or DetectorConfig()
        self.catalog = Catalog()
        self.late = 0
        self._held = []
        self._closed_ms = -1

    def observe(self, samples):
        for ts_ms, number, value in zip(samples.ts_ms, samples.series, samples.value, strict=True):
            assert number < len(self.catalog)
            if ts_ms <= self._closed_ms:
                self.late += 1
            else:
                self._held.append((int(ts_ms), self.catalog[int(number)], float(value)))

    def observe_logs(self, lines):
        assert not len(lines) or len(lines.ts_ms) == len(lines.body)

    def advance(self, watermark_ms):
        width = self.config.tick_ms
        last = watermark_ms // width * width
        ticks = {}
        for ts_ms, series, value in sorted(s for s in self._held if s[0] <= last):
            ticks.setdefault(math.ceil(ts_ms / width) * width, []).append((ts_ms, series, value))
        self._held = [s for s in self._held if s[0] > last]
        self._closed_ms = max(last, self._closed_ms)
        return [
            Tick(
                end,
                tuple(_echo(self.domain, *sample) for sample in said),
                tuple(EdgeSeen(s.service, s.peer, ts) for ts, s, _ in said if s.peer),
            )
            for end, said in sorted(ticks.items())
        ]


def _echo(domain, ts_ms, series, value):
    signal = Signal(
        source="metric", metric=series.metric, family=Family.CPU, instance=series.instance, peer=series.peer
    )
    return Anomaly(
        id=f"{series.service}-{series.metric}-{series.peer}-{ts_ms}",
        domain=domain,
        service=series.service,
        signal=signal,
        first_ms=ts_ms,
        onset_ms=ts_ms,
        ts_ms=ts_ms,
        interval_ms=MINUTE,
        direction="up",
        score=max(0.0, value),
        peak_score=max(0.0, value),
        observed=value,
        expected=0,
        scale=1,
    )


class ScriptedEngine:
    """Publishes an incident, naming its services in order, for every sample of 9 and more."""

    def __init__(self, domain, config=None, *, names=("cart", "front"), confidence=0.9, abstains=False):
        self.domain = domain
        self.config = config or EngineConfig()
        self._answer = (names, confidence, abstains)
        self._pending = []
        self._watermark_ms = 0

    def apply(self, item):
        if item.type != "progress":
            self._pending.append(item)
            return []
        self._watermark_ms = item.watermark_ms
        due = [i for i in self._pending if i.type == "anomaly" and i.ts_ms <= item.watermark_ms]
        self._pending = [i for i in self._pending if i not in due]
        return [
            self._incident(f"hw-{a.ts_ms}", item.watermark_ms, a.ts_ms, settled=True)
            for a in due
            if a.score >= 9
        ]

    def rank_at(self, start_ms):
        return self._incident(f"told-{start_ms}", self._watermark_ms, start_ms, settled=False)

    def _incident(self, name, now_ms, onset_ms, settled):
        names, confidence, abstains = self._answer
        return Incident(
            id=name,
            domain=self.domain,
            revision=1,
            settled=settled,
            published_ms=now_ms,
            opened_ms=now_ms,
            onset_ms=onset_ms,
            severity="high",
            title="",
            is_candidate=True,
            hypotheses=tuple(
                Hypothesis(
                    service=s, kind="service", confidence=confidence, score=1, onset_ms=onset_ms, summary=""
                )
                for s in names
            ),
            abstention=Abstention(type="novel_pattern", reason="", next_question="") if abstains else None,
        )


def write(path, values, *, start_ms=START, **more):
    """One series of service `cart`, a value a minute."""
    table = pa.table(
        {
            "ts_ms": [start_ms + i * MINUTE for i in range(len(values))],
            "service": ["cart"] * len(values),
            "instance": pa.nulls(len(values), pa.string()),
            "metric": ["cpu"] * len(values),
            "unit": ["%"] * len(values),
            "kind": ["gauge"] * len(values),
            "value": np.array(values, dtype=float),
        }
    )
    return Recording.open(
        write_recording(
            path,
            name=path.name,
            system="shop",
            start_ms=start_ms,
            end_ms=start_ms + max(0, len(values) - 1) * MINUTE,
            interval_s=60,
            metrics=table,
            **more,
        )
    )


def quiet(minutes, **loud):
    return [float(loud.get(f"at_{minute}", 0)) for minute in range(minutes)]


def blind(recording, **script):
    return run_blind(
        recording, ALL, detector=EchoDetector, engine=lambda domain: ScriptedEngine(domain, **script)
    )


def judged(recording, **script):
    run = blind(recording, **script)
    return figures([score(run, engine=lambda domain: ScriptedEngine(domain, **script))])


# -- the fakes keep the contract of what they stand for ---------------------------------------------------


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
        assert engine.apply(_echo("shop", START + minute, _series(), 12.0)) == []
    assert isinstance(engine.rank_at(START), Incident)


def _series():
    from detectors.telemetry import Series

    return Series("cart", "cpu")


# -- the feed ---------------------------------------------------------------------------------------------


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


# -- the blind run ----------------------------------------------------------------------------------------


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


# -- the score --------------------------------------------------------------------------------------------


def test_a_fault_seen_in_time_and_rightly_named_scores_everywhere(tmp_path):
    recording = write(
        tmp_path / "r",
        quiet(600, at_302=9),
        labels=[Label("f", START + 300 * MINUTE, START + HOUR * 6, "cart")],
    )
    found = judged(recording)
    assert (found["faults"], found["detected"], found["opened"]) == (1, 1, 1)
    assert (found["ac1"], found["ac3"], found["avg5"]) == (1, 1, 1)
    assert found["final"]["ac1"] == found["told"]["ac1"] == found["right_among_opened"] == 1
    assert found["false_incidents"] == 0
    assert 120 <= found["median_delay_s"] <= 135
    assert found["confident"] == {"precision": 1, "coverage": 1, "incidents": 1}
    assert found["brier"] == pytest.approx(0.01)
    assert found["candidates"] == 1
    assert found["baselines"]["largest_deviation"]["ac1"] == 1
    assert found["baselines"]["latest_change"]["ac1"] == 0


@pytest.mark.parametrize(
    ("script", "ac1", "ac3", "avg5"),
    [
        ({"names": ("cart", "front")}, 1, 1, 1),
        ({"names": ("front", "cart")}, 0, 1, 0.8),
        ({"names": ("front", "front", "cart")}, 0, 1, 0.8),
        ({"names": ("a", "b", "c", "cart")}, 0, 0, 0.4),
        ({"names": ("front",)}, 0, 0, 0),
        ({"names": ()}, 0, 0, 0),
        ({"names": ("cart",), "abstains": True}, 0, 0, 0),
    ],
)
def test_the_ranking_decides_and_an_abstention_is_a_miss(tmp_path, script, ac1, ac3, avg5):
    recording = write(
        tmp_path / "r", quiet(400, at_302=9), labels=[Label("f", START + 300 * MINUTE, None, "cart")]
    )
    found = judged(recording, **script)
    assert found["detected"] == 1
    assert (found["ac1"], found["ac3"], found["avg5"]) == (ac1, ac3, pytest.approx(avg5))
    assert found["told"]["ac1"] == ac1
    assert found["abstained"] == int(bool(script.get("abstains")))


def test_a_fault_that_is_not_seen_is_a_miss_unless_its_start_is_told(tmp_path):
    recording = write(tmp_path / "r", quiet(400), labels=[Label("f", START + 300 * MINUTE, None, "cart")])
    found = judged(recording)
    assert (found["detected"], found["ac1"], found["told"]["ac1"]) == (0, 0, 1)
    assert found["right_among_opened"] is None
    assert found["median_delay_s"] is None


def test_incidents_without_a_fault_are_false_and_make_confidence_untrue(tmp_path):
    recording = write(
        tmp_path / "r",
        quiet(600, at_100=9, at_302=9),
        labels=[Label("f", START + 300 * MINUTE, START + 310 * MINUTE, "cart")],
    )
    found = judged(recording)
    assert (found["opened"], found["false_incidents"], found["right_among_opened"]) == (2, 1, 0.5)
    hours = (599 - 15) / 60
    assert found["fault_free_hours"] == pytest.approx(hours)
    assert found["false_incidents_per_hour"] == pytest.approx(1 / hours, abs=1e-6)
    assert found["confident"]["precision"] == 0.5
    assert found["brier"] == pytest.approx((0.1**2 + 0.9**2) / 2)
    assert found["brier_skill"] == pytest.approx(1 - 0.41 / 0.25)
    assert found["calibration_error"] == pytest.approx(0.4)


def test_nothing_at_all_has_figures_too(tmp_path):
    found = judged(write(tmp_path / "r", []))
    assert (found["faults"], found["opened"], found["fault_free_hours"]) == (0, 0, 0)
    assert found["ac1"] is None
    assert found["false_incidents_per_hour"] is None


def test_the_told_engine_has_seen_what_follows_the_fault_and_no_more(tmp_path):
    recording = write(tmp_path / "r", quiet(400), labels=[Label("f", START + 300 * MINUTE + 7, None, "cart")])
    asked = []

    class Watching(ScriptedEngine):
        def rank_at(self, start_ms):
            asked.append((self._watermark_ms, max((i.ts_ms for i in self._pending), default=0)))
            return super().rank_at(start_ms)

    score(blind(recording), engine=Watching)
    ((watermark_ms, newest_ms),) = asked
    assert watermark_ms == START + 305 * MINUTE
    assert newest_ms <= watermark_ms
