"""The demo's course: simulate, start, preload, break, wait, judge."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import yaml

from streams.broker import Broker, EmbeddedBroker
from streams.broker.process import free_port
from streams.demo.service import Service
from streams.demo.watch import Seen, Watcher
from streams.errors import FatalError
from streams.kafka import admin
from streams.kafka.cluster import metadata
from streams.kafka.topics import create, delete_all
from streams.recording import Recording
from streams.replay import Progress, publisher, replay
from streams.settings import KafkaSettings, ReasonSettings, Settings
from streams.simulator import Options, run_scenario
from streams.wire.cloudevents import rfc3339
from streams.wire.messages import EnrichedAlert

LIVE_MINUTES = 25
"""What the simulator's scenarios last after their history."""
QUIET_S = 3.0
"""Silence on the alerts topic after event time has ended, before the demo calls it the last word."""
PATIENCE_S = 45.0
"""How long event time may stand still before the demo gives up. Not a limit on the whole: a slow or busy
machine takes its time, and is not told that the pipeline is broken."""
FIRST_PATIENCE_S = 300.0
"""How long until event time moves at all: the first run on a machine compiles its kernels, for a minute, or
for several where others use the processor."""
SEVERITIES = ("info", "warning", "high", "critical")

SIMULATING = "simulating a shop and its last two hours"

Tell = Callable[[str, float, Seen | None], None]
"""(step, share done, what has come out so far)"""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What came out, and what the simulator knows to be true."""

    seen: Seen
    true_root: str | None
    """None in a healthy world."""
    fault_start_ms: int | None
    records: int

    @property
    def ranked(self) -> list[EnrichedAlert]:
        """Alerts, most severe first, then earliest."""
        order = SEVERITIES.index
        return sorted(self.seen.alerts.values(), key=lambda a: (-order(a.severity), a.started_ms))

    @property
    def found(self) -> bool:
        """Whether the first alert names the true root; in a healthy world, whether there is none."""
        if self.true_root is None:
            return not self.seen.alerts
        first = self.ranked[0] if self.seen.alerts else None
        named = first.root_cause if first else None
        return named is not None and named.entity == self.true_root


def play(
    settings: Settings, external: bool, scenario: str, *, seed: int, speed: float, tell: Tell
) -> DemoResult:
    """Run one scenario through Kafka, from telemetry to alert; nothing is left behind.

    Parameters
    ----------
    settings
        The user's; the broker of `settings.kafka` is used when `external`.
    external
        Use the configured cluster (under a topic prefix of its own) instead of an embedded broker.
    speed
        Event time per wall-clock time of the part in which it breaks; the history is preloaded.

    Raises
    ------
    BrokerUnavailable
        Nobody answers at the configured address.
    FatalError
        A stage died or did not keep up; the message says what it said last.
    """
    if external:
        metadata(admin(settings.kafka), settings.kafka.bootstrap_servers)  # before the work, not after it
    with tempfile.TemporaryDirectory(prefix="headwater-demo-") as folder:
        home = Path(folder)
        path = run_scenario(
            scenario, home / "recording", Options(seed=seed), lambda share: tell(SIMULATING, share, None)
        )
        recording = Recording.open(path)
        broker: Broker | None = None if external else EmbeddedBroker()
        tell("starting the broker and all stages", 0.0, None)
        with broker or nullcontext():
            mine = _settings(settings, broker, home)
            create(mine.kafka)
            try:
                with (
                    Service(_write(mine, home), home / "service.log", mine.serve.port) as service,
                    Watcher(mine) as watch,
                ):
                    return _watch(recording, mine, service, watch, speed, tell)
            finally:
                if external:
                    delete_all(mine.kafka, mine.kafka.group_prefix)


def _watch(
    recording: Recording, settings: Settings, service: Service, watch: Watcher, speed: float, tell: Tell
) -> DemoResult:
    live_ms = recording.end_ms - LIVE_MINUTES * 60_000

    def on_progress(now: Progress) -> None:
        service.check()
        step = "preloading its history" if now.event_ms < live_ms else "watching it live"
        tell(step, now.share, watch.seen)

    with publisher(settings.kafka) as out:
        published = replay(recording, out, speed=speed, paced_from_ms=live_ms, on_progress=on_progress)
    if published.interrupted:
        raise KeyboardInterrupt
    if not watch.seen.watermark_ms:
        tell("compiling for this machine, once", 0.0, watch.seen)
        if not watch.wait_until(1, FIRST_PATIENCE_S):
            service.check()
            raise FatalError(f"the pipeline has said nothing for {FIRST_PATIENCE_S:.0f} s")
    tell("reading on to the end", 1.0, watch.seen)
    if not watch.wait_until(recording.end_ms - 60_000, PATIENCE_S):
        service.check()
        stood = f"{rfc3339(watch.seen.watermark_ms)}, of {rfc3339(recording.end_ms)}"
        raise FatalError(f"the pipeline has stood still for {PATIENCE_S:.0f} s at event time {stood}")
    watch.wait_quiet(QUIET_S)
    service.check()
    labels = recording.labels()
    return DemoResult(
        watch.seen,
        labels[0].root_service if labels else None,
        labels[0].start_ms if labels else None,
        published.records,
    )


def _settings(settings: Settings, broker: Broker | None, home: Path) -> Settings:
    kafka = settings.kafka.model_dump()
    if broker is not None:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, session_timeout_s=6.0).model_dump()
    else:
        # A shared cluster: topics and groups of the demo's own, so that nobody's are touched.
        name = kafka["topic_prefix"] + home.name
        kafka |= {"topic_prefix": f"{name}.", "group_prefix": name}
    update = {
        "kafka": KafkaSettings(**kafka),
        "state_dir": home / "state",
        "serve": settings.serve.model_copy(update={"port": free_port()}),
        "reason": ReasonSettings(),  # the deterministic explanation: no key, no network
        "detect": settings.detect.model_copy(update={"idle_s": 1.0, "snapshot_interval_s": 5.0}),
    }
    return settings.model_copy(update=update)


def _write(settings: Settings, home: Path) -> Path:
    path = home / "headwater.yaml"
    path.write_text(yaml.safe_dump(json.loads(settings.model_dump_json())))
    return path
