"""The deterministic explanation: always there, always first, from the incident alone."""

from __future__ import annotations

from correlator.incident import CauseKind, Hypothesis, Incident
from correlator.reasoning.answer import MOST_SENTENCE, MOST_STEPS, Answer, Sentence
from correlator.spelling import clock

TOLD = 0.1
"""Loss of score from which a factor speaks against a hypothesis; less is noise to a person."""


def explain(incident: Incident) -> Answer:
    """Why this cause, in sentences that cite; for an abstention, why none is named."""
    first = incident.hypotheses[0] if incident.hypotheses else None
    if incident.abstention is not None or first is None:
        return _abstained(incident)
    known = {line.id for line in incident.evidence}
    ids = tuple(i for f in first.factors for i in f.evidence if i in known)[:4]
    steps = [Sentence(text=_cut(first.summary), evidence=ids)]
    steps += [
        Sentence(text=_cut(f"{factor.why} ({factor.contribution:+.1f})"), evidence=factor.evidence[:4])
        for factor in sorted(first.factors, key=lambda f: -abs(f.contribution))[:5]
    ]
    for hop in first.chain[:4]:
        steps.append(
            Sentence(
                text=_cut(f"{hop.target} followed {hop.source} after {hop.lag_s:.0f} s"),
                evidence=hop.evidence,
            )
        )
    steps += [Sentence(text=_cut(f"Not it: {line}")) for line in why_not(incident)[:2]]
    return Answer(
        summary=Sentence(text=_cut(headline(incident)), evidence=ids),
        steps=tuple(steps[:MOST_STEPS]),
        next_question=_next_question(incident, first),
        order=tuple(h.service for h in incident.hypotheses[:3]),
        confidence=first.confidence,
    )


def headline(incident: Incident) -> str:
    """One line: the likely cause, how sure, since when."""
    first = incident.hypotheses[0]
    sure = f"{first.confidence:.0%}" + ("" if incident.calibrated else ", uncalibrated")
    trigger = next((f"; triggered by {o.why}" for o in first.others if o.role == "trigger"), "")
    return f"Likely cause: {first.service} ({first.kind}, {sure}), since {clock(first.onset_ms)}{trigger}"


def why_not(incident: Incident) -> tuple[str, ...]:
    """Why the next two hypotheses stand lower, one line each."""
    if not incident.hypotheses:
        return ()
    first = incident.hypotheses[0]
    return tuple(f"{other.service}: {why_lower(first, other)}" for other in incident.hypotheses[1:3])


def why_lower(first: Hypothesis, other: Hypothesis) -> str:
    """The factor in which a hypothesis loses most against the first, in its own words."""
    mine = {f.name: f for f in first.factors}
    theirs = {f.name: f for f in other.factors}

    def value(factors: dict[str, object], name: str) -> float:
        factor = factors.get(name)
        return float(getattr(factor, "contribution", 0.0))

    names = sorted(mine.keys() | theirs.keys())
    losses = {n: value(dict(mine), n) - value(dict(theirs), n) for n in names}
    worst = max(names, key=lambda n: (losses[n], n), default=None)
    if worst is None or losses[worst] <= 0:
        return f"scores {other.score:.1f} against {first.score:.1f}"
    if worst in theirs and theirs[worst].contribution < 0:
        return theirs[worst].why
    if worst in theirs:
        return f"{theirs[worst].why}; that is less than for {first.service} (−{losses[worst]:.1f})"
    return f"lacks what speaks for {first.service}: {mine[worst].why}"


def speaks_against(hypothesis: Hypothesis) -> tuple[str, ...]:
    """The factors that lower a hypothesis by so much that a person should know, heaviest first."""
    negative = [f for f in hypothesis.factors if f.contribution <= -TOLD]
    return tuple(f.why for f in sorted(negative, key=lambda f: f.contribution))


def _abstained(incident: Incident) -> Answer:
    abstention = incident.abstention
    reason = abstention.reason if abstention else "nothing stands out"
    kind = abstention.type if abstention else "insufficient_evidence"
    ids = abstention.conflict if abstention and abstention.conflict else ()
    steps = tuple(
        Sentence(text=_cut(line.text), evidence=(line.id,))
        for line in sorted(incident.evidence, key=lambda e: (-e.score, e.id))[:4]
    )
    return Answer(
        summary=Sentence(text=_cut(f"No cause is named ({kind}): {reason}"), evidence=ids),
        steps=steps,
        next_question=_cut(abstention.next_question) if abstention else "",
        order=tuple(h.service for h in incident.hypotheses[:3]),
    )


def _next_question(incident: Incident, first: Hypothesis) -> str:
    if first.change_id is not None:
        undone = "stopped" if first.kind is CauseKind.JOB else "taken back"
        what = "the job" if first.kind is CauseKind.JOB else "the change"
        return _cut(f"Does {first.service} recover when {what} is {undone} ({first.change_id})?")
    if first.kind is CauseKind.EXTERNAL:
        return _cut(f"What does the provider of {first.service} say since {clock(first.onset_ms)}?")
    return _cut(f"Does {first.service} recover when it is relieved or restarted?")


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SENTENCE else text[: MOST_SENTENCE - 1] + "…"
