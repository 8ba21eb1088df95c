"""Where it may have begun: the ill, their silent dependencies, and what was changed."""

from __future__ import annotations

from correlator.factors.change import best_of
from correlator.factors.term import Candidate
from correlator.scene import Scene

MOST = 60
"""Candidates scored in full; the rest are weaker than all of these by own evidence."""


def candidates(scene: Scene) -> list[Candidate]:
    """All plausible roots, strongest own evidence first, at most `MOST`."""
    found = [Candidate(service, best_of(service, scene), silent=False) for service in scene.ill[:MOST]]
    return found
