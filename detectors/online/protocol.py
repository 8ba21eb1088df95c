"""What a detector of one series must do."""

from __future__ import annotations

from typing import Protocol, TypedDict, runtime_checkable


class Sample(TypedDict):
    """One sample, as river's dict of features."""

    ts_ms: int
    value: float


@runtime_checkable
class OnlineDetector(Protocol):
    """River's anomaly protocol, with a state that outlives a version.

    Scores are 0 when nothing can be said (cold, NaN, constant input) and grow with surprise. `score_one`
    changes nothing that a later answer depends on; `learn_one` is bounded in time and memory.
    """

    def score_one(self, x: Sample) -> float:
        """Return how surprising a sample would be; finite, 0 and up."""

    def learn_one(self, x: Sample) -> None:
        """Learn from a sample; NaN and infinities are skipped."""

    def dump(self) -> bytes:
        """Serialise the state, versioned."""

    def restore(self, state: bytes) -> None:
        """Take over a dumped state.

        Raises
        ------
        ValueError
            The bytes are damaged or of a version that this code cannot read.
        """
