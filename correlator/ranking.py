"""Candidates to ranked hypotheses: the sum of their factors, each kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from correlator.candidates import candidates
from correlator.factors import FACTORS, Candidate, Term
from correlator.scene import Scene


@dataclass(slots=True)
class Scored:
    """A candidate with its terms."""

    candidate: Candidate
    terms: list[tuple[str, Term]]
    score: float


def rank(scene: Scene, without: Collection[str] = ()) -> list[Scored]:
    """Score all candidates in parallel, best first; ties by name, so that no order of input matters.

    Parameters
    ----------
    scene : Scene
        What is known.
    without : collection of str
        Names of factors to leave out, for ablation.
    """
    scored = []
    for candidate in candidates(scene):
        terms: list[tuple[str, Term]] = []
        for unit in FACTORS:
            if unit.NAME not in without and (term := unit.measure(candidate, scene)) is not None:
                terms.append((unit.NAME, term))
        scored.append(Scored(candidate, terms, sum(term.contribution for _, term in terms)))
    return sorted(scored, key=lambda s: (-s.score, s.candidate.service))
