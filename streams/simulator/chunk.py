"""A stretch of the plant's history, as it is handed to everything that observes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streams.simulator.state import State

Values = NDArray[np.float64]


@dataclass
class Chunk:
    """The plant's arrays over consecutive intervals; first axis is time."""

    end_s: NDArray[np.floating]
    since_s: NDArray[np.floating]
    """From when the state at the end of each interval may have held: nothing shows before it happens."""
    interval_s: float
    service: NDArray[np.void]
    instance: NDArray[np.void]
    edge: NDArray[np.void]
    topic: NDArray[np.void]
    names: NDArray[np.int32]
    """[time, slot]: number of the pod's name."""
    slots: NDArray[np.int64]
    """The instances that are looked at."""

    def within(self, slots: NDArray[np.int64]) -> Chunk:
        """The same stretch, of which only some instances are looked at."""
        return replace(self, slots=slots)

    @property
    def shape(self) -> tuple[int, int]:
        """Of all that is returned: intervals, and instances that are looked at."""
        return len(self.end_s), len(self.slots)

    @property
    def owners(self) -> NDArray[np.int64]:
        """Row of each instance's service, as [slot]."""
        return np.asarray(self.instance["service"][0, self.slots])

    def of(self, field_name: str) -> Values:
        """An instance's field as [time, slot]."""
        return np.asarray(self.instance[field_name][:, self.slots])

    def owner(self, field_name: str) -> Values:
        """A service's field, repeated for its instances, as [time, slot]."""
        return np.asarray(self.service[field_name])[:, self.owners]


def snapshot_buffers(state: State, steps: int) -> dict[str, NDArray[np.void]]:
    """Empty arrays that hold `steps` copies of the state."""
    return {
        name: np.zeros((steps, len(getattr(state, name))), getattr(state, name).dtype)
        for name in ("service", "instance", "edge", "topic")
    }
