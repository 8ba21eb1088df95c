"""Explained by its own dependencies: a service that waits for an ill callee is a symptom.

Each group of evidence g of a service X is explained, up to a share, by the callee Y whose own evidence
could have caused it: errors by errors, silence or timeouts of Y, latency by latency, gap, errors or
saturation of Y. With p the strongest such evidence of Y and a the part of X's failures or delay that its
calls to Y amount to (`attribution.amounts`), Σ_g share_g · g_X · max(1 − e^(−(p/2)²), a) · belief is taken
off (where a is 1, half of what share_g leaves, too); less what X brought on Y by asking more of it, what a
rush of users brought on both (`traffic`), and what may be X's own because nobody else sees it (`one_sided`).
Noise in a callee explains next to nothing, clear illness nearly all that is handed on. Shares follow what
propagates along calls (errors, waiting, blocked threads; hardly work). Topological explaining-away as in
MicroRCA and Sage.
"""

from __future__ import annotations

import math

from correlator.attribution import amounts
from correlator.factors.one_sided import doubt
from correlator.factors.term import Candidate, Term
from correlator.factors.traffic import pushed_by, rushed
from correlator.scene import Scene, once

NAME = "explained_by_dependencies"
SHARE: dict[str, float] = {
    "err": 0.9,
    "lat": 0.85,
    "latc": 1.0,
    "log": 0.7,
    "flow": 0.7,
    "gap": 0.6,
    "out": 0.9,
    "sat": 0.6,
    "stale": 0.3,
    "starves": 0.5,
    "amplifies": 0.5,
    "cpu": 0.25,
    "mem": 0.25,
    "io": 0.3,
    "other": 0.3,
}
"""Part of each group of X that an ill callee can account for; groups not named: none."""
FAILING = {
    "err": 1.0,
    "stale": 1.0,
    "gap": 0.6,
    "lat": 0.6,
    "sat": 0.5,
    "log": 0.6,
    "flow": 0.6,
    "starves": 0.6,
    "latc": 0.6,
    "out": 0.6,
}
"""Groups of Y that make its callers fail, with their force."""
SLOW = {
    "lat": 1.0,
    "gap": 1.0,
    "stale": 1.0,
    "err": 0.7,
    "sat": 0.6,
    "cpu": 0.5,
    "mem": 0.4,
    "io": 0.3,
    "latc": 0.5,
    "out": 0.5,
}
"""Groups of Y that make its callers wait; what goes wrong on Y's own ways out goes on to its callers."""
AMOUNT = {"err": "err", "log": "err", "lat": "lat", "sat": "lat"}
"""Groups of X that an amount accounts for: failures are logged, what takes longer keeps more in flight."""
COMPLETE = 0.5
"""Part of what `SHARE` leaves that goes as well where the amount is all that X lost. Tried 0, .5, 1 on 473
simulated faults."""
CAUSED_BY: dict[str, dict[str, float]] = {"err": FAILING, "log": FAILING, "flow": FAILING, "starves": FAILING}


@once
def explained(service: str, scene: Scene) -> tuple[float, str]:
    """(What ill callees account for, the callee that accounts for most of it)."""
    mine = scene.evidence.get(service)
    if mine is None:
        return 0.0, ""
    total = 0.0
    by_callee: dict[str, float] = {}
    seen = scene.seen  # what is another incident's may well be why this service waits
    callees = [(n, dict(seen[n.service].counted())) for n in scene.callees(service) if n.service in seen]
    for group, value in mine.counted():
        share = SHARE.get(group, 0.0)
        if group in ("out", "latc"):
            share *= 1.0 - mine.spread  # trouble on all ways out is its own
        if share <= 0.0 or not callees:
            continue
        force_of = CAUSED_BY.get(group, SLOW)
        best, name = 0.0, ""
        signal = mine.groups[group].episode.anomaly.signal
        for neighbour, theirs in callees:
            if signal.peer == neighbour.service:  # what X says of Y cannot confirm itself
                theirs = dict(seen[neighbour.service].counted_without(service))
            force = max((force_of.get(g, 0.0) * v for g, v in theirs.items()), default=0.0)
            accounted = (1.0 - math.exp(-((force / 2.0) ** 2))) * neighbour.belief
            enough = amounts((service, neighbour.service), scene).get(AMOUNT.get(group, ""), 0.0)
            accounted = max(accounted, enough * neighbour.belief)
            accounted *= 1.0 - max(
                pushed_by(mine, seen[neighbour.service]), rushed(service, neighbour.service, scene)
            )
            doubted = doubt(neighbour.service, scene)
            if doubted.witness == service:
                accounted *= 1.0 - doubted.share
            accounted *= share + (COMPLETE * (1.0 - share) if enough >= 1.0 else 0.0)
            if accounted > best:
                best, name = accounted, neighbour.service
        if best > 0.0:
            total += value * best
            by_callee[name] = by_callee.get(name, 0.0) + value * best
    name = max(by_callee, key=lambda n: (by_callee[n], n)) if by_callee else ""
    return total, name


def measure(candidate: Candidate, scene: Scene) -> Term | None:
    """Minus the trouble that ill callees account for."""
    total, name = explained(candidate.service, scene)
    if total <= 0.0:
        return None
    whole = scene.severity(candidate.service)
    strongest = max(scene.seen[name].groups.values(), key=lambda g: g.value)
    return Term(
        total,
        -total,
        lambda: (
            f"{total / whole:.0%} of it is what {name}, which {candidate.service} calls, would cause: "
            f"{name} deviates itself"
        ),
        (strongest.episode.anomaly.id,),
    )


def unexplained_share(service: str, scene: Scene) -> float:
    """Share of a service's severity that no ill callee of it accounts for, 0 to 1; 1 where it has none."""
    whole = scene.severity(service)
    return max(0.0, 1.0 - explained(service, scene)[0] / whole) if whole > 0.0 else 1.0
