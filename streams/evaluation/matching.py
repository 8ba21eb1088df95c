"""Which incident answers which fault, and what every other incident was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.evaluation.published import Published
from streams.evaluation.run import patience_ms
from streams.recording import Ignored, Label, Recording

Stretch = tuple[int, int]
HOUR_MS = 3_600_000


class Fate(StrEnum):
    """What an opened incident was."""

    MATCHED = "matched"
    """It opened within the window of a fault that no earlier incident answers."""
    IGNORED = "ignored"
    """It matches no fault and opened where the labels are incomplete: neither right nor false."""
    UNMATCHED = "unmatched"
    """An extra one, while a fault lasts."""
    AFTERMATH = "aftermath"
    """An extra one, just after a fault ended."""
    FALSE = "false"
    """No fault lasted and none had just ended."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A label with the stretches of time that follow from it.

    Attributes
    ----------
    detect_from_ms
        Its start; earlier by the patience below where an engineer's told time, which may be off, is matched.
    detect_by_ms
        Five minutes after the start, or two intervals where those are longer.
    end_ms
        Of the fault; the recording's end where the label leaves it open.
    over_ms
        When its aftermath is over: `end_ms` and the same patience again. A trailing window of detection and
        a recovery both need that long to calm down.
    """

    label: Label
    detect_from_ms: int
    detect_by_ms: int
    end_ms: int
    over_ms: int

    def may_answer(self, incident: Published) -> bool:
        """Whether the incident opened in time to be this fault's detection."""
        return self.detect_from_ms <= incident.opened_ms <= self.detect_by_ms


@dataclass(frozen=True, slots=True)
class Matching:
    """The verdict on every fault and every incident of a recording.

    Attributes
    ----------
    answers
        Fault to the incident that detected it, or None; in order of start.
    fates
        Incident to what it was and the fault meant by it, if any; in order of opening.
    fault_free_hours
        Of the recording, without faults, their aftermath and ignored stretches.
    """

    answers: tuple[tuple[Fault, Published | None], ...]
    fates: tuple[tuple[Published, Fate, Fault | None], ...]
    fault_free_hours: float


def faults_of(recording: Recording, labels: Iterable[Label], *, told: bool = False) -> tuple[Fault, ...]:
    """The recording's faults, in order of start; `told` widens each window to before the start."""
    patience = patience_ms(recording.interval_s, 2)
    faults = []
    for label in sorted(labels, key=lambda label: (label.start_ms, label.fault_id)):
        end_ms = label.end_ms if label.end_ms is not None else max(recording.end_ms, label.start_ms)
        from_ms = label.start_ms - patience if told else label.start_ms
        faults.append(Fault(label, from_ms, label.start_ms + patience, end_ms, end_ms + patience))
    return tuple(faults)


def match(
    recording: Recording,
    incidents: Sequence[Published],
    faults: Sequence[Fault],
    ignored: Sequence[Ignored],
) -> Matching:
    """Give each fault, in order of start, the earliest incident in its window that no other fault has.

    The incident's ranking plays no part: a match is about time alone.
    """
    taken: dict[str, Fault] = {}
    answers: list[tuple[Fault, Published | None]] = []
    ordered = sorted(incidents, key=lambda incident: (incident.opened_ms, incident.incident_id))
    for fault in faults:
        answer = next(
            (i for i in ordered if fault.may_answer(i) and i.incident_id not in taken),
            None,
        )
        if answer is not None:
            taken[answer.incident_id] = fault
        answers.append((fault, answer))
    fates: list[tuple[Published, Fate, Fault | None]] = []
    for incident in ordered:
        if incident.incident_id in taken:
            fates.append((incident, Fate.MATCHED, taken[incident.incident_id]))
        else:
            fates.append((incident, *_fate(incident.opened_ms, faults, ignored)))
    return Matching(tuple(answers), tuple(fates), _fault_free_hours(recording, faults, ignored))


def _fate(opened_ms: int, faults: Sequence[Fault], ignored: Sequence[Ignored]) -> tuple[Fate, Fault | None]:
    if any(stretch.start_ms <= opened_ms <= stretch.end_ms for stretch in ignored):
        return Fate.IGNORED, None
    # The newest fault that fits: an incident is about what has just begun.
    for fault in reversed(faults):
        if fault.label.start_ms <= opened_ms <= fault.end_ms:
            return Fate.UNMATCHED, fault
    for fault in reversed(faults):
        if fault.end_ms < opened_ms <= fault.over_ms:
            return Fate.AFTERMATH, fault
    return Fate.FALSE, None


def _fault_free_hours(recording: Recording, faults: Sequence[Fault], ignored: Sequence[Ignored]) -> float:
    not_counted: list[Stretch] = [(fault.label.start_ms, fault.over_ms) for fault in faults]
    not_counted += [(stretch.start_ms, stretch.end_ms) for stretch in ignored]
    free_ms, at_ms = 0, recording.start_ms
    for start_ms, end_ms in sorted(not_counted):
        start_ms, end_ms = min(start_ms, recording.end_ms), min(end_ms, recording.end_ms)
        free_ms += max(0, start_ms - at_ms)
        at_ms = max(at_ms, end_ms)
    return (free_ms + max(0, recording.end_ms - at_ms)) / HOUR_MS
