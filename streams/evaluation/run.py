"""A blind run: history, then the recording, through detection and correlation in event time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from correlator.engine import Engine
from correlator.evidence import EvidenceItem, Progress
from correlator.incident import Incident
from detectors.pipeline import Detector
from streams.errors import RecordingError
from streams.evaluation.feed import SOURCE, Telemetry, evidence_of
from streams.evaluation.published import Ledger, Published
from streams.evaluation.signals import chosen_signals
from streams.recording import Recording
from streams.wire.evidence import progress

SETTLE_MS = 2 * 3_600_000
"""Event time granted after the last sample, to correlation only: every open incident settles, and nothing
is detected in a silence that is merely the end of the file."""
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Run:
    """What a recording gave, before anyone looks at the truth."""

    recording: Recording
    evidence: tuple[EvidenceItem, ...]
    """The whole evidence log, history first, in order of arrival."""
    incidents: tuple[Published, ...]
    """Those opened in the recording itself, in order of opening."""


def patience_ms(interval_s: float, intervals: int = 1) -> int:
    """Five minutes, or some of the recording's intervals where those are longer."""
    return max(5 * MINUTE_MS, round(intervals * interval_s * 1000))


def histories_of(recording: Recording) -> list[Recording]:
    """Open the recordings that are run first.

    Raises
    ------
    RecordingError
        One is missing, or is of another system.
    """
    histories = [Recording.open(path) for path in recording.history]
    for history in histories:
        if history.system != recording.system:
            raise RecordingError(
                f"{recording.path}: its history {history.name} is of system {history.system!r}, "
                f"not {recording.system!r}"
            )
    return histories


def collect_evidence(
    recording: Recording,
    signals: frozenset[str],
    *,
    detector: Callable[[str], Detector] = Detector,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[EvidenceItem]:
    """Detection with fresh state over the histories and then the recording, as one evidence log."""
    stretch = [*histories_of(recording), recording]
    mine = detector(recording.system)
    for number, part in enumerate(stretch):
        share = (lambda done, n=number: on_progress((n + done) / len(stretch))) if on_progress else None
        yield from evidence_of(Telemetry.read(part, signals), mine, last=part is recording, on_progress=share)


def correlate(
    recording: Recording, evidence: Iterable[EvidenceItem], *, engine: Callable[[str], Engine] = Engine
) -> Ledger:
    """Correlation with fresh state over an evidence log, until every incident has settled."""
    mine = engine(recording.system)
    ledger = Ledger(recording.name, recording.start_ms)
    newest_ms = 0
    for item in evidence:
        for revision in mine.apply(item):
            ledger.take(revision)
        if isinstance(item, Progress):
            newest_ms = item.watermark_ms
    for revision in mine.apply(_progress(mine, newest_ms + SETTLE_MS)):
        ledger.take(revision)
    return ledger


def run_blind(
    recording: Recording,
    signals: frozenset[str],
    *,
    detector: Callable[[str], Detector] = Detector,
    engine: Callable[[str], Engine] = Engine,
    on_progress: Callable[[float], None] | None = None,
) -> Run:
    """Run one recording as production would see it; neither labels nor ignored stretches are opened."""
    evidence = tuple(collect_evidence(recording, signals, detector=detector, on_progress=on_progress))
    return Run(recording, evidence, correlate(recording, evidence, engine=engine).incidents())


def rank_told(
    recording: Recording,
    evidence: Iterable[EvidenceItem],
    starts_ms: Iterable[int],
    *,
    engine: Callable[[str], Engine] = Engine,
) -> dict[int, Incident]:
    """Rank at given times, from the same evidence, with a fresh engine.

    The engine is asked when the watermark has passed the told start by five minutes, or two intervals where
    those are longer: the moment by which a detection would have to be there, and no later evidence.
    """
    mine = engine(recording.system)
    waiting = sorted(set(starts_ms), reverse=True)
    patience = patience_ms(recording.interval_s, 2)
    told: dict[int, Incident] = {}

    def ask_until(watermark_ms: int) -> None:
        while waiting and waiting[-1] + patience < watermark_ms:
            start_ms = waiting.pop()
            mine.apply(_progress(mine, start_ms + patience))
            told[start_ms] = mine.rank_at(start_ms)

    held: list[EvidenceItem] = []
    for item in evidence:
        held.append(item)
        if isinstance(item, Progress):
            ask_until(item.watermark_ms)
            for kept in held:
                mine.apply(kept)
            held.clear()
            if not waiting:
                break
    for start_ms in reversed(waiting):
        told[start_ms] = mine.rank_at(start_ms)
    return told


def settled_incidents(
    recording: Recording, signals: frozenset[str] | None = None, *, history: bool = True
) -> dict[str, Incident]:
    """The settled revision of every incident of the recording, by id, in order of opening.

    What a replay of the same telemetry through Kafka must reproduce. `history=False` starts cold, like a
    pipeline that is shown this recording alone.
    """
    chosen = chosen_signals(None) if signals is None else signals
    if history:
        evidence = collect_evidence(recording, chosen)
    else:
        evidence = evidence_of(Telemetry.read(recording, chosen), Detector(recording.system), last=True)
    return correlate(recording, evidence).settled()


def _progress(engine: Engine, watermark_ms: int) -> Progress:
    return progress(engine.domain, SOURCE, watermark_ms, tick_ms=engine.config.tick_ms)
