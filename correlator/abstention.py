"""When no cause should be named, which kind of not-knowing it is, and what would decide."""

from __future__ import annotations

from correlator.chain import strongest_ids
from correlator.incident import Abstention, AbstentionType
from correlator.ranking import Scored
from correlator.scene import Scene
from correlator.spelling import group_words

FAINT = 0.1
"""Score under which nothing stands out."""
UNSURE = 0.2
"""Confidence under which a named cause misleads more often than it helps."""
TOO_CLOSE = 0.02
"""Relative margin under which two unrelated roots are a tie."""
MEANINGLESS = frozenset(
    {"other", "io", "node", "stale", "load", "lat-", "latc-", "err-", "gap-", "sat-", "log-"}
)
"""Groups that no pattern of failure is known for."""


def abstain(ranked: list[Scored], scene: Scene, confidence: float) -> Abstention | None:
    """Return the abstention of a ranking, or None where its first hypothesis may be named."""
    if not scene.ill:
        return Abstention(
            type=AbstentionType.NO_FAULT_FOUND,
            reason="what deviated has returned, or was demand that the system followed",
            next_question="Do users complain about anything?",
        )
    if not ranked or ranked[0].score <= FAINT:
        return Abstention(
            type=AbstentionType.INSUFFICIENT_EVIDENCE,
            reason="nothing that deviates stands out from the rest",
            next_question="Which service do users complain about?",
        )
    groups = {g for service in scene.ill for g in scene.evidence[service].strong_groups}
    if groups <= MEANINGLESS:
        words = ", ".join(sorted(group_words(g) + " down" * g.endswith("-") for g in groups))
        return Abstention(
            type=AbstentionType.NOVEL_PATTERN,
            reason=f"nothing deviates but {words}; no known kind of fault looks like this",
            next_question=f"What does {ranked[0].candidate.service} do differently since then?",
        )
    tie = _tie(ranked, scene)
    if tie is not None:
        return tie
    if confidence < UNSURE:
        known = len(scene.topology) > 0
        missing = "too little agrees" if known else "and no topology tells who depends on whom"
        return Abstention(
            type=AbstentionType.INSUFFICIENT_EVIDENCE if known else AbstentionType.NO_TOPOLOGY,
            reason=f"{len(scene.ill)} services deviate, {missing}",
            next_question=f"Does {ranked[0].candidate.service} fail when it is called directly?",
        )
    return None


def _tie(ranked: list[Scored], scene: Scene) -> Abstention | None:
    """Two roots, equally likely, neither of which explains the other."""
    if len(ranked) < 2:
        return None
    first, second = ranked[0], ranked[1]
    if first.score - second.score > TOO_CLOSE * first.score:
        return None
    a, b = first.candidate.service, second.candidate.service
    mine, other = scene.evidence.get(a), scene.evidence.get(b)
    if mine is None or other is None or min(mine.cause_excess, other.cause_excess) <= 0:
        return None  # of two symptoms one is worse placed: that is a ranking, not a conflict
    if b in scene.downstream_of(a) or a in scene.downstream_of(b):
        return None
    ids = strongest_ids(scene.evidence.get(a), 1) + strongest_ids(scene.evidence.get(b), 1)
    if len(ids) < 2 or ids[0] == ids[1]:
        return None
    return Abstention(
        type=AbstentionType.CONFLICTING_SIGNALS,
        reason=f"{a} and {b} deviate alike, and neither depends on the other",
        conflict=(ids[0], ids[1]),
        next_question=f"Does {b} recover when {a} is restored, or the other way round?",
    )
