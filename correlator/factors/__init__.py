"""The factors of a hypothesis, one small unit each; the list's order is the order of printing."""

from __future__ import annotations

from correlator.factors import (
    change,
    coverage,
    dependencies,
    instances,
    job,
    one_sided,
    onset,
    past,
    relevance,
    severity,
    silent,
    sources,
    traffic,
)
from correlator.factors.term import Candidate, FactorUnit, Term

FACTORS: tuple[FactorUnit, ...] = (
    severity,
    silent,
    dependencies,
    one_sided,
    coverage,
    onset,
    change,
    instances,
    job,
    traffic,
    sources,
    past,
    relevance,
)
"""Each has `NAME` and `measure(candidate, scene) -> Term | None`."""

NAMES: tuple[str, ...] = tuple(unit.NAME for unit in FACTORS)

__all__ = ["FACTORS", "NAMES", "Candidate", "Term"]
