"""What a detector is fed: series identities, columns of samples, log lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Kind(StrEnum):
    """How a series' values relate to time (OpenTelemetry's temporality, Prometheus' type)."""

    GAUGE = "gauge"
    """A value that holds at its time stamp."""
    COUNTER = "counter"
    """A cumulative, monotonic sum; a decrease is a reset."""
    DELTA = "delta"
    """A sum over the interval that ends at the time stamp."""


class Series(NamedTuple):
    """The identity of one metric of one entity instance.

    Two samples belong to one series exactly when all fields are equal. `service` is the entity whose
    cause is judged (`service.namespace/service.name`, without the namespace where there is none).
    """

    service: str
    metric: str
    instance: str | None = None
    peer: str | None = None
    """The callee, for a series that describes the edge `service` → `peer`."""
    unit: str | None = None
    kind: Kind = Kind.GAUGE
    version: str | None = None
    """`service.version` of the instance, where known."""
    labels: str = ""
    """Remaining attributes, canonical: `k=v` sorted by key, joined by commas."""


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples as parallel columns; any order, duplicates and NaN allowed.

    Attributes
    ----------
    ts_ms : int64[n]
        Event time, Unix milliseconds. For an interval, its END.
    series : int32[n]
        Numbers from the `Catalog` of the detector that receives the batch.
    value : float64[n]
        NaN marks a missing sample.
    """

    ts_ms: NDArray[np.int64]
    series: NDArray[np.int32]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ts_ms)


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Log lines as parallel columns of equal length; `ts_ms` in Unix milliseconds, any order."""

    ts_ms: Sequence[int]
    service: Sequence[str]
    instance: Sequence[str | None]
    severity: Sequence[str | None]
    """As the producer wrote it (`ERROR`, `warn`, …); None where unknown."""
    body: Sequence[str]

    def __len__(self) -> int:
        return len(self.ts_ms)
