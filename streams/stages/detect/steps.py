"""The steps of DETECT between which a crash is tested."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """Between two of them nothing outside this process changes."""

    READ = "1 a batch is read"
    OBSERVED = "2 the detectors have seen it"
    PUBLISHED = "3 evidence is queued"
    DELIVERED = "4 evidence and dead letters are on the broker"
    SAVED = "5 the snapshot is on the local disk"
    SENT = "6 some of it is queued for its topic"
    REPLICATED = "6 the snapshot is on its topic"
    COMMITTED = "7 the source offsets are committed"
    AHEAD = "1 to 3 are done for later records while a snapshot is on its way"


def unwatched(_step: Step) -> None:
    """Nobody is told."""
