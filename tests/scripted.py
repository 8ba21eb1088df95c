"""A detector and an engine that do as a script says, and recordings for them."""

import math

import numpy as np
import pyarrow as pa

from correlator.engine import EngineConfig
from correlator.incident import Abstention, Hypothesis, Incident
from detectors.anomaly import Anomaly, Family, Signal
from detectors.catalog import Catalog
from detectors.config import DetectorConfig
from detectors.pipeline import EdgeSeen, Tick
from streams.evaluation.figures import figures
from streams.evaluation.run import run_blind
from streams.evaluation.score import score
from streams.evaluation.signals import SIGNALS
from streams.recording import Recording, write_recording

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
                tuple(echo(self.domain, *sample) for sample in said),
                tuple(EdgeSeen(s.service, s.peer, ts) for ts, s, _ in said if s.peer),
            )
            for end, said in sorted(ticks.items())
        ]


def echo(domain, ts_ms, series, value):
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
