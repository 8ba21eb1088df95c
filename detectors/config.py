"""What a user may set of a detector, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.publish import DEFAULT_BUDGET


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """What a user may set, and nothing else."""

    alert_budget: float = DEFAULT_BUDGET
    """False episodes per series and week that a user is willing to pay for."""
    alert_budget_edges: float | None = None
    """The same for what is measured on edges; None for no other than `alert_budget`."""
    alert_budget_logs: float | None = None
    """The same for what is counted from log lines."""
    tick_ms: int = 15_000
    """Width of a tick. Every tick is closed once, in order, when the watermark passes its end."""
    max_series: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuse budgets that nobody can keep.

        Raises
        ------
        ValueError
            A budget is not a positive, finite number.
        """
        for budget in self.budgets.values():
            if not 0 < budget < math.inf:
                raise ValueError(f"an alert budget must be positive and finite, not {budget}")

    @property
    def budgets(self) -> dict[str, float]:
        """Budget of each signal class, by `Signal.source`."""
        edges, logs = self.alert_budget_edges, self.alert_budget_logs
        return {
            "metric": self.alert_budget,
            "edge": self.alert_budget if edges is None else edges,
            "log": self.alert_budget if logs is None else logs,
        }
