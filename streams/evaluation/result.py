"""The one JSON object that `headwater eval` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from streams.evaluation.evaluate import Outcome
from streams.evaluation.figures import figures
from streams.evaluation.score import Scored

ABLATED = (
    "detected",
    "ac1",
    "ac3",
    "avg5",
    "false_incidents",
    "right_among_opened",
    "brier_skill",
)


def result(outcomes: Sequence[Outcome], wall_s: float) -> dict[str, Any]:
    """Figures in total, per system and per recording; every case; every opened incident."""
    scored = [outcome.scored for outcome in outcomes if outcome.scored]
    systems = list(dict.fromkeys(one.system for one in scored))
    found: dict[str, Any] = {
        "total": figures(scored, wall_s),
        "systems": {name: figures([one for one in scored if one.system == name]) for name in systems},
        "recordings": {one.recording: {"system": one.system, **figures([one])} for one in scored},
        "cases": [asdict(case) for one in scored for case in one.cases],
        "incidents": [asdict(opening) for one in scored for opening in one.openings],
    }
    if any(outcome.without for outcome in outcomes):
        found["ablation"] = ablation(outcomes)
    return found


def ablation(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Key figures with every factor, then without each one, in total and per system."""
    full = [outcome.scored for outcome in outcomes if outcome.scored]
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.without))
    table = {"full": _by_system(full)}
    for name in names:
        table[f"without {name}"] = _by_system([o.without[name] for o in outcomes if name in o.without])
    return table


def _by_system(scored: Sequence[Scored]) -> dict[str, Any]:
    systems = list(dict.fromkeys(one.system for one in scored))
    groups = {"total": list(scored), **{s: [one for one in scored if one.system == s] for s in systems}}
    return {name: _key_figures(group) for name, group in groups.items()}


def _key_figures(scored: Sequence[Scored]) -> dict[str, Any]:
    found = figures(scored)
    return {**{name: found[name] for name in ABLATED}, "told_ac1": found["told"]["ac1"]}
