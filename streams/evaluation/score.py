"""The scorer: the only place that opens labels, and only when the run is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from correlator.engine import Engine
from streams.evaluation.baselines import RULES, Past
from streams.evaluation.matching import Fate, Fault, Matching, faults_of, match
from streams.evaluation.published import Published, Revision, ranking_of
from streams.evaluation.run import Run, patience_ms, rank_told
from streams.recording import Label, Propagation, Recording


@dataclass(frozen=True, slots=True)
class Answer:
    """A ranking, judged against one root."""

    services: tuple[str, ...]
    """The first five."""
    rank: int | None
    """The true root's place, from 1; None where it is not ranked."""
    confidence: float = 0.0
    abstained: str | None = None
    change_id: str | None = None

    def credit(self, k: int) -> float:
        """1 when the root is among the first k and the answer does not abstain."""
        return float(self.abstained is None and self.rank is not None and self.rank <= k)


@dataclass(frozen=True, slots=True)
class Case:
    """One fault and what was said about it: blind, at last, told, and by simple rules."""

    recording: str
    fault_id: str
    fault_kind: str
    start_ms: int
    root_service: str
    root_change_id: str | None
    incident_id: str | None
    delay_s: float | None
    standing: Answer | None
    final: Answer | None
    told: Answer | None
    baselines: Mapping[str, Answer | None]
    baselines_told: Mapping[str, Answer]
    known_services: int
    path_right: bool | None = None
    """Whether the last chain is the way that the fault really took; None where nobody knows that way."""
    tellable: bool = True
    """Whether the telemetry can tell the root at all, where somebody knows; else it is taken to."""
    innocent_blamed: bool = False
    """Whether the first hypothesis blames a change, and not the one that did it."""

    @property
    def detected(self) -> bool:
        """Whether an incident opened in time."""
        return self.incident_id is not None


@dataclass(frozen=True, slots=True)
class Opening:
    """One incident as an engineer met it: the ranking that stood a few minutes after it opened."""

    recording: str
    incident_id: str
    opened_ms: int
    onset_ms: int
    fate: Fate
    fault_id: str | None
    first: str | None
    """The service named first, also when abstaining."""
    right: bool
    """Whether that is the root of a fault that lasted, or had just ended, when it opened."""
    confidence: float
    abstained: str | None
    is_candidate: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """A recording's cases and openings, from which every figure is made."""

    recording: str
    system: str
    cases: tuple[Case, ...]
    openings: tuple[Opening, ...]
    fault_free_hours: float
    wall_s: float = 0.0


def score(run: Run, *, engine: Callable[[str], Engine] = Engine) -> Scored:
    """Open the labels and judge a finished run."""
    recording = run.recording
    faults = faults_of(recording, recording.labels())
    matching = match(recording, run.incidents, faults, recording.ignored())
    told = rank_told(recording, run.evidence, [f.label.start_ms for f in faults], engine=engine)
    rankings = {start_ms: ranking_of(incident) for start_ms, incident in told.items()}
    return judge(recording, matching, rankings, Past(run.evidence), recording.propagations())


def score_told(run: Run, starts_ms: Sequence[int], *, engine: Callable[[str], Engine] = Engine) -> Scored:
    """Judge rankings at given times in place of detected incidents."""
    recording = run.recording
    told = rank_told(recording, run.evidence, starts_ms, engine=engine)
    faults = faults_of(recording, recording.labels(), told=True)
    incidents = told_incidents(recording, {t: ranking_of(i) for t, i in told.items()})
    matching = match(recording, incidents, faults, recording.ignored())
    rankings = {
        fault.label.start_ms: answer.revisions[0] for fault, answer in matching.answers if answer is not None
    }
    return judge(recording, matching, rankings, Past(run.evidence))


def told_incidents(recording: Recording, told: Mapping[int, Revision]) -> tuple[Published, ...]:
    """Told rankings in the shape of incidents that opened at the told time."""
    return tuple(
        Published(
            recording=recording.name,
            incident_id=f"told-{start_ms}",
            opened_ms=start_ms,
            onset_ms=start_ms,
            closed_ms=None,
            severity="info",
            is_candidate=False,
            chain=(),
            revisions=(ranking,),
        )
        for start_ms, ranking in sorted(told.items())
    )


def judge(
    recording: Recording,
    matching: Matching,
    told: Mapping[int, Revision],
    past: Past,
    propagations: Mapping[str, Propagation] | None = None,
) -> Scored:
    """Hold what was said against the truth."""
    spread = propagations or {}
    patience = patience_ms(recording.interval_s)
    faults = [fault for fault, _ in matching.answers]
    return Scored(
        recording=recording.name,
        system=recording.system,
        cases=tuple(
            _case(recording, fault, incident, told, past, patience, spread.get(fault.label.fault_id))
            for fault, incident in matching.answers
        ),
        openings=tuple(
            _opening(recording, incident, fate, fault, faults, patience)
            for incident, fate, fault in matching.fates
        ),
        fault_free_hours=matching.fault_free_hours,
    )


def _case(
    recording: Recording,
    fault: Fault,
    incident: Published | None,
    told: Mapping[int, Revision],
    past: Past,
    patience: int,
    spread: Propagation | None,
) -> Case:
    label = fault.label
    blind: dict[str, Answer | None] = dict.fromkeys(RULES)
    if incident is not None:
        from_ms = min(incident.onset_ms, incident.opened_ms - patience)
        seen = past.at(from_ms, incident.opened_ms + patience)
        blind = {name: _plain(rule(seen), label.root_service) for name, rule in RULES.items()}
    seen = past.at(label.start_ms, fault.detect_by_ms)
    ranking = told.get(label.start_ms)
    standing = incident.standing(incident.opened_ms + patience) if incident else None
    return Case(
        recording=recording.name,
        fault_id=label.fault_id,
        fault_kind=label.fault_kind,
        start_ms=label.start_ms,
        root_service=label.root_service,
        root_change_id=label.root_change_id,
        incident_id=incident.incident_id if incident else None,
        delay_s=(incident.opened_ms - label.start_ms) / 1000 if incident else None,
        standing=_answer(standing, label.root_service) if standing else None,
        final=_answer(incident.revisions[-1], label.root_service) if incident else None,
        told=_answer(ranking, label.root_service) if ranking else None,
        baselines=blind,
        baselines_told={name: _plain(rule(seen), label.root_service) for name, rule in RULES.items()},
        known_services=len(past.services | {label.root_service}),
        path_right=None
        if spread is None
        else incident is not None and path_is_right(incident, label, spread),
        tellable=spread is None or spread.tellable,
        innocent_blamed=bool(
            standing and not standing.abstained and standing.change_id not in (None, label.root_change_id)
        ),
    )


def _opening(
    recording: Recording,
    incident: Published,
    fate: Fate,
    fault: Fault | None,
    faults: Sequence[Fault],
    patience: int,
) -> Opening:
    standing = incident.standing(incident.opened_ms + patience)
    first = standing.services[0] if standing.services else None
    roots = {f.label.root_service for f in faults if f.label.start_ms <= incident.opened_ms <= f.over_ms}
    return Opening(
        recording=recording.name,
        incident_id=incident.incident_id,
        opened_ms=incident.opened_ms,
        onset_ms=incident.onset_ms,
        fate=fate,
        fault_id=fault.label.fault_id if fault else None,
        first=first,
        right=first in roots,
        confidence=standing.confidence,
        abstained=standing.abstained,
        is_candidate=incident.is_candidate,
    )


def path_is_right(incident: Published, label: Label, spread: Propagation) -> bool:
    """Whether the chain starts at the root, takes only hops that happened, and reaches the symptom."""
    last = incident.revisions[-1]
    if last.abstained or last.services[:1] != (label.root_service,):
        return False
    reached = label.root_service
    passed = {reached}
    for hop in incident.chain:
        if hop["from"] != reached or (reached, hop["to"]) not in spread.hops:
            return False
        reached = hop["to"]
        passed.add(reached)
    return label.symptom_service is None or label.symptom_service in passed


def _answer(ranking: Revision, root: str) -> Answer:
    services = ranking.services
    return Answer(
        services=services[:5],
        rank=services.index(root) + 1 if root in services else None,
        confidence=ranking.confidence,
        abstained=ranking.abstained,
        change_id=ranking.change_id,
    )


def _plain(services: Sequence[str], root: str) -> Answer:
    return Answer(tuple(services[:5]), services.index(root) + 1 if root in services else None)
