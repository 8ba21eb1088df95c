"""Instances by name: pods come and go with rollouts, restarts and scaling, and their names with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.simulator.graph import System
from streams.simulator.state import State
from streams.simulator.writer import Names

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, so no words."""


class Roster:
    """Gives every slot of the plant the name of the pod that occupies it now."""

    def __init__(self, system: System, state: State, names: Names, rng: np.random.Generator) -> None:
        self._system = system
        self._names = names
        self._rng = rng
        self.current: NDArray[np.int32] = np.full(len(state.instance), -1, np.int32)
        self._replica_set = [self._word(10) for _ in system.services]
        for index in range(len(system.services)):
            for slot in self.slots(state, index):
                self._rename(slot, index, slot - int(state.service["first"][index]))

    def slots(self, state: State, service: int) -> range:
        """Rows of the instances of a service."""
        first = int(state.service["first"][service])
        return range(first, first + int(state.service["count"][service]))

    def replace(self, state: State, service: int, slot: int, *, fresh_version: bool) -> None:
        """Put a new pod into a slot; `fresh_version` also starts a new replica set."""
        if fresh_version:
            self._replica_set[service] = self._word(10)
        self._rename(slot, service, slot - int(state.service["first"][service]))
        row = state.instance[slot]
        row["age_s"] = row["leak"] = row["backlog"] = row["gc"] = 0.0
        row["up"], row["generation"] = 1.0, row["generation"] + 1

    def _word(self, length: int) -> str:
        return "".join(_ALPHABET[i] for i in self._rng.integers(len(_ALPHABET), size=length))

    def _rename(self, slot: int, service: int, ordinal: int) -> None:
        spec = self._system.services[service]
        stateless = spec.kind == "service"
        pod = (
            f"{spec.name}-{self._replica_set[service]}-{self._word(5)}"
            if stateless
            else f"{spec.name}-{ordinal}"
        )
        self.current[slot] = self._names.id(pod)
