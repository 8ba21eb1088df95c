"""Labelled incidents for the confidence: what a ranking looked like, and whether its first name was right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from correlator.engine import Engine
from correlator.evidence import EvidenceItem, Progress
from correlator.incident import Incident
from streams.evaluation.feed import SOURCE
from streams.evaluation.matching import Fate, faults_of, match
from streams.evaluation.published import Ledger
from streams.evaluation.run import SETTLE_MS, collect_evidence, patience_ms
from streams.evaluation.signals import chosen_signals
from streams.processes import each_in_a_process
from streams.recording import Recording
from streams.simulator import CampaignOptions, run_campaign
from streams.wire.evidence import progress

ALL = chosen_signals(None)
METRICS_AND_CHANGES = chosen_signals("metrics,changes")
"""What many teams have: no calls that anybody saw, no logs."""

SEEDS = (10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 25)


@dataclass(frozen=True, slots=True)
class Example:
    """One revision of one incident."""

    system: str
    """Where it is from; a simulated world is a system of its own."""
    recording: str
    incident_id: str
    looks: Mapping[str, float]
    """`correlator.confidence.features` of the revision."""
    right: bool
    """Whether the service named first is the root of a fault that lasted, or had just ended."""
    judged: bool
    """Whether it is the ranking that stood five minutes after opening, by which incidents are judged."""
    whole: bool = True
    """Whether all that the system records was shown."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A recording, and what is shown of it."""

    recording: Recording
    signals: frozenset[str] = ALL

    def without_calls_and_logs(self) -> Lesson:
        """The same system where nobody records calls or logs; under a name of its own."""
        name = f"{self.recording.name}, metrics and changes"
        return Lesson(replace(self.recording, name=name), METRICS_AND_CHANGES)


def lessons_of(number: int, world: Recording) -> list[Lesson]:
    """A simulated system with all that it records, and every second one again without calls and logs."""
    whole = Lesson(world)
    return [whole, whole.without_calls_and_logs()] if number % 2 == 0 else [whole]


def examples_of(lesson: Lesson) -> list[Example]:
    """Run a recording blind with what is shown of it, then open its labels."""
    found = label(lesson.recording, collect_evidence(lesson.recording, lesson.signals))
    return [replace(example, whole=lesson.signals == ALL) for example in found]


def gather(
    lessons: Sequence[Lesson], jobs: int, *, on_done: Callable[[int], None] | None = None
) -> list[Example]:
    """Examples of all lessons, in their order, however many are run at the same time.

    Parameters
    ----------
    on_done
        Called with the number of a lesson that is done; in another thread where several are run.
    """
    examples: list[Example] = []
    if jobs <= 1 or len(lessons) <= 1:
        for number, lesson in enumerate(lessons):
            examples += examples_of(lesson)
            if on_done:
                on_done(number)
        return examples
    for found in each_in_a_process(examples_of, lessons, jobs, size=_bytes_of, on_done=on_done):
        examples += found
    return examples


def _bytes_of(lesson: Lesson) -> int:
    return lesson.recording.size_bytes


def simulated(worlds: int, folder: Path) -> Iterator[Recording]:
    """Simulated systems to learn from, the same for the same number, of eight faults each.

    Three of each seed have 8 to 27 services, the fourth 60 to 159: what a large system does by chance at any
    time must be known too. Seed 17 and seeds from 200 on are not among them: they are for judging.
    """
    for count in range(worlds):
        seed, number = SEEDS[count % len(SEEDS)], 1 + count // len(SEEDS)
        small, large = 8 + (7 * seed + 11 * number) % 20, 60 + 37 * seed % 100
        options = CampaignOptions(
            seed=seed,
            faults=8,
            hours=3.0 if number % 2 == 0 else 0.7,
            services=large if number % 4 == 0 else small,
        )
        path = run_campaign(number, folder / f"seed-{seed}", options)
        yield replace(Recording.open(path), name=f"seed-{seed}/{path.name}")


def label(recording: Recording, evidence: Iterable[EvidenceItem]) -> list[Example]:
    """Correlate an evidence log with fresh state and label the judged and the last ranking of each incident.

    Incidents that opened where labels are incomplete are left out.
    """
    ledger, looks = _looks(recording, evidence)
    faults = faults_of(recording, recording.labels())
    matching = match(recording, ledger.incidents(), faults, recording.ignored())
    patience = patience_ms(recording.interval_s)
    found = []
    for incident, fate, _ in matching.fates:
        if fate is Fate.IGNORED:
            continue
        roots = {f.label.root_service for f in faults if f.label.start_ms <= incident.opened_ms <= f.over_ms}
        standing = incident.standing(incident.opened_ms + patience)
        for revision in dict.fromkeys((standing, incident.revisions[-1])):
            seen = looks.get((incident.incident_id, revision.published_ms))
            if seen and revision.services:
                found.append(
                    Example(
                        system=recording.system,
                        recording=recording.name,
                        incident_id=incident.incident_id,
                        looks=seen,
                        right=revision.services[0] in roots,
                        judged=revision is standing,
                    )
                )
    return found


def _looks(
    recording: Recording, evidence: Iterable[EvidenceItem]
) -> tuple[Ledger, dict[tuple[str, int], Mapping[str, float]]]:
    """All revisions, and by (incident, time) what each one's confidence rests on."""
    engine = Engine(recording.system)
    tick_ms = engine.config.tick_ms
    ledger = Ledger(recording.name, recording.start_ms)
    looks: dict[tuple[str, int], Mapping[str, float]] = {}

    def take(revisions: list[Incident]) -> None:
        for revision in revisions:
            ledger.take(revision)
            state = engine.memory.incidents.get(revision.id)
            if state is not None:
                looks[revision.id, revision.published_ms] = dict(state.looks)

    newest_ms = 0
    for item in evidence:
        take(engine.apply(item))
        if isinstance(item, Progress):
            newest_ms = item.watermark_ms
    for at_ms in range(newest_ms, newest_ms + SETTLE_MS + tick_ms, tick_ms):
        take(engine.apply(progress(engine.domain, SOURCE, at_ms, tick_ms=tick_ms)))
    return ledger, looks


__all__ = ["Example", "Lesson", "examples_of", "gather", "label", "lessons_of", "simulated"]
