"""From judged cases and openings to the figures of the contract; the same for a recording, a system, all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Any

from streams.evaluation.baselines import CHANCE, RULES
from streams.evaluation.intervals import poisson_rate, wilson
from streams.evaluation.matching import Fate
from streams.evaluation.score import Answer, Case, Opening, Scored

SURE = 0.8
"""The confidence from which an engineer acts without looking twice."""
BINS = 10
DIGITS = 6

Credit = Callable[[Case, int], float]


def figures(scored: Sequence[Scored], wall_s: float | None = None) -> dict[str, Any]:
    """All figures over some recordings; a figure without any case is None."""
    cases = [case for one in scored for case in one.cases]
    openings = [opening for one in scored for opening in one.openings]
    judged = [opening for opening in openings if opening.fate is not Fate.IGNORED]
    fates = {fate: sum(opening.fate is fate for opening in openings) for fate in Fate}
    hours = sum(one.fault_free_hours for one in scored)
    blind = _accuracy(cases, lambda case, k: _credit(case.standing, k))
    delays = [case.delay_s for case in cases if case.delay_s is not None]
    return {
        "faults": len(cases),
        "detected": sum(case.detected for case in cases),
        **blind,
        "final": _accuracy(cases, lambda case, k: _credit(case.final, k)),
        "told": _told(cases),
        "false_incidents": fates[Fate.FALSE],
        "fault_free_hours": _rounded(hours),
        "false_incidents_per_hour": _share(fates[Fate.FALSE], hours),
        "false_incidents_per_hour_95": _pair(poisson_rate(fates[Fate.FALSE], hours)),
        "opened": len(openings),
        "opened_in_ignored": fates[Fate.IGNORED],
        "opened_in_aftermath": fates[Fate.AFTERMATH],
        "right_among_opened": _share(sum(o.right and o.abstained is None for o in judged), len(judged)),
        "unmatched_per_fault": _share(fates[Fate.UNMATCHED], len(cases)),
        "median_delay_s": _rounded(median(delays)) if delays else None,
        "abstained": sum(opening.abstained is not None for opening in judged),
        "right_change": _right_change(cases),
        "innocent_change_blamed": _share(sum(case.innocent_blamed for case in cases), len(cases)),
        "right_path": _right_path(cases),
        "tellable": _tellable(cases),
        **_confidence(judged),
        "candidates": sum(opening.is_candidate for opening in openings),
        "llm_calls": 0,
        "baselines": _baselines(cases),
        "wall_s": _rounded(sum(one.wall_s for one in scored) if wall_s is None else wall_s, 3),
    }


def _credit(answer: Answer | None, k: int) -> float:
    return answer.credit(k) if answer else 0.0


def _accuracy(cases: Sequence[Case], credit: Credit) -> dict[str, Any]:
    if not cases:
        return {"ac1": None, "ac3": None, "avg5": None, "ac1_95": None, "ac3_95": None}
    at = {k: sum(credit(case, k) for case in cases) for k in range(1, 6)}
    return {
        "ac1": _rounded(at[1] / len(cases)),
        "ac3": _rounded(at[3] / len(cases)),
        "avg5": _rounded(fmean(at.values()) / len(cases)),
        "ac1_95": _pair(wilson(at[1], len(cases))),
        "ac3_95": _pair(wilson(at[3], len(cases))),
    }


def _told(cases: Sequence[Case]) -> dict[str, Any]:
    return {
        **_accuracy(cases, lambda case, k: _credit(case.told, k)),
        "abstained": sum(bool(case.told and case.told.abstained) for case in cases),
    }


def _right_change(cases: Sequence[Case]) -> dict[str, Any]:
    """Of the faults that a change caused: how often that very change is blamed first."""
    caused = [case for case in cases if case.root_change_id is not None]

    def named(answers: Sequence[Answer | None]) -> int:
        return sum(
            bool(answer and answer.abstained is None and answer.change_id == case.root_change_id)
            for case, answer in zip(caused, answers, strict=True)
        )

    return {
        "faults": len(caused),
        "ac1": _share(named([case.standing for case in caused]), len(caused)),
        "told_ac1": _share(named([case.told for case in caused]), len(caused)),
    }


def _right_path(cases: Sequence[Case]) -> float | None:
    """Of the faults whose spreading is known: how often the last chain is exactly that way."""
    known = [case.path_right for case in cases if case.path_right is not None]
    return _share(sum(known), len(known))


def _tellable(cases: Sequence[Case]) -> dict[str, Any]:
    """The faults that telemetry can tell apart from those it cannot, of which a name is a guess.

    Of the latter: how many opened no incident or were abstained from, which is right, and how many were named
    with confidence, which is worst.
    """
    can = [case for case in cases if case.tellable]
    cannot = [case.standing for case in cases if not case.tellable]
    return {
        "faults": len(can),
        "ac1": _share(sum(_credit(case.standing, 1) for case in can), len(can)),
        "told_ac1": _share(sum(_credit(case.told, 1) for case in can), len(can)),
        "untellable": len(cannot),
        "untellable_left_open": sum(answer is None or answer.abstained is not None for answer in cannot),
        "untellable_named_surely": sum(
            answer is not None and answer.abstained is None and answer.confidence >= SURE for answer in cannot
        ),
    }


def _confidence(judged: Sequence[Opening]) -> dict[str, Any]:
    """Whether a stated confidence is true: precision above `SURE`, Brier score, calibration error.

    The outcome of an opening is whether the service named first is the root. An abstention states a
    confidence too and is judged by the same outcome, but is no confident answer.
    """
    sure = [o for o in judged if o.confidence >= SURE and o.abstained is None]
    found: dict[str, Any] = {
        "confident": {
            "precision": _share(sum(o.right for o in sure), len(sure)),
            "coverage": _share(len(sure), len(judged)),
            "incidents": len(sure),
        },
        "brier": None,
        "brier_skill": None,
        "calibration_error": None,
    }
    if judged:
        base = fmean(o.right for o in judged)
        brier = fmean((o.confidence - o.right) ** 2 for o in judged)
        found["brier"] = _rounded(brier)
        if 0 < base < 1:
            found["brier_skill"] = _rounded(1 - brier / (base * (1 - base)))
        found["calibration_error"] = _rounded(
            sum(len(members) * abs(stated - right) for stated, right, members in reliability(judged))
            / len(judged)
        )
    return found


def reliability(judged: Sequence[Opening]) -> list[tuple[float, float, list[Opening]]]:
    """Ten bins of stated confidence: mean confidence, share right, members; empty bins left out."""
    bins: list[list[Opening]] = [[] for _ in range(BINS)]
    for opening in judged:
        bins[min(BINS - 1, int(opening.confidence * BINS))].append(opening)
    return [(fmean(o.confidence for o in b), fmean(o.right for o in b), b) for b in bins if b]


def _baselines(cases: Sequence[Case]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in RULES:
        found[name] = {
            **_accuracy(cases, lambda case, k, name=name: _credit(case.baselines[name], k)),  # type: ignore[misc]
            "told": _accuracy(cases, lambda case, k, name=name: case.baselines_told[name].credit(k)),  # type: ignore[misc]
        }
    found[CHANCE] = {
        **_accuracy(cases, lambda case, k: case.detected * min(1.0, k / case.known_services)),
        "told": _accuracy(cases, lambda case, k: min(1.0, k / case.known_services)),
    }
    return found


def _share(part: float, whole: float) -> float | None:
    return _rounded(part / whole) if whole else None


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return [_rounded(interval[0]), _rounded(interval[1])] if interval else None


def _rounded(value: float, digits: int = DIGITS) -> float:
    return round(float(value), digits)
