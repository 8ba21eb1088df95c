"""River's detectors behind a guard: what would poison, panic or saturate them never reaches them.

Met in river 0.26: one NaN poisons most statistics for ever; `RollingQuantile(NaN)` is a Rust panic, which is
a BaseException and passes `except Exception`; `PredictiveAnomalyDetection.score_one` counts its call as a
sample; Holt-Winters raises IndexError when cold; `GaussianScorer` gives 1.0 to every point of a constant.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from river.base.anomaly_detector import AnomalyDetector, SupervisedAnomalyDetector

from detectors.online.protocol import Sample

VERSION = 1
MEMORY = 512
"""Samples kept for restoring a state by learning them again: pickles of one river do not load in the next."""
FLAT = 10
"""Equal values in a row after which one more of them is no surprise, whatever the detector says."""
_PASSING = (KeyboardInterrupt, SystemExit, GeneratorExit)


class RiverAdapter:
    """Makes a river detector an `OnlineDetector`; quarantines it for this series when it raises.

    Parameters
    ----------
    make
        Builds the river detector; called again when a state is restored.
    name
        Stands in dumps, so that a state cannot be loaded into another kind of detector.
    memory
        Samples from which a restored detector is rebuilt; it knows nothing older.
    """

    def __init__(
        self,
        make: Callable[[], AnomalyDetector | SupervisedAnomalyDetector],
        name: str | None = None,
        memory: int = MEMORY,
    ) -> None:
        self._make = make
        self._detector: Any = make()
        self.name = name or type(self._detector).__name__
        self._recent: deque[float] = deque(maxlen=memory)
        self._asked: tuple[float, float] | None = None
        self.errors = 0
        """Calls that raised. From the first on, the detector is cold again; from the tenth on, silent."""
        self.quarantined: str | None = None
        """What was raised last; None while the detector works."""

    def score_one(self, x: Sample) -> float:
        """Return river's score; 0 for what is not finite, cold, or one more of a constant."""
        value = float(x["value"])
        if not math.isfinite(value) or self.errors >= FLAT or not self._recent:
            return 0.0
        if self._asked is not None and self._asked[0] == value:
            return self._asked[1]
        score = self._guarded(lambda: self._call("score_one", value))
        score = float(score) if isinstance(score, (int, float)) and math.isfinite(score) else 0.0
        self._asked = value, 0.0 if self._flat(value) else max(score, 0.0)
        return self._asked[1]

    def learn_one(self, x: Sample) -> None:
        """Hand the sample on, if it is finite.

        Some of river's learn from being asked. So every sample is asked about once, whoever wanted to know.
        """
        value = float(x["value"])
        if not math.isfinite(value) or self.errors >= FLAT:
            return
        if self._recent and (self._asked is None or self._asked[0] != value):
            self._guarded(lambda: self._call("score_one", value))
        self._recent.append(value)
        self._asked = None
        self._guarded(lambda: self._call("learn_one", value))

    def dump(self) -> bytes:
        """Serialise what is needed to learn again."""
        state = {"version": VERSION, "name": self.name, "errors": self.errors, "recent": list(self._recent)}
        return json.dumps(state).encode()

    def restore(self, state: bytes) -> None:
        """Learn the dumped samples anew."""
        try:
            document = json.loads(state)
            version, name = document["version"], document["name"]
            errors, recent = int(document["errors"]), [float(each) for each in document["recent"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"state of {self.name} is damaged, {error!r}: start afresh") from None
        if version != VERSION or name != self.name:
            raise ValueError(
                f"state is of {name} version {version}, not of {self.name} version {VERSION}: start afresh"
            )
        self._detector = self._make()
        self._recent.clear()
        self.errors = 0
        for value in recent:
            self.learn_one({"ts_ms": 0, "value": value})
        self.errors = errors

    def _call(self, verb: str, value: float) -> Any:
        if isinstance(self._detector, SupervisedAnomalyDetector):
            return getattr(self._detector, verb)({}, value)
        return getattr(self._detector, verb)({"value": value})

    def _flat(self, value: float) -> bool:
        recent = self._recent
        return len(recent) >= FLAT and all(recent[-k] == value for k in range(1, FLAT + 1))

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except _PASSING:
            raise
        except (IndexError, TypeError, ZeroDivisionError) as error:
            # Cold: Holt-Winters before its first season, quantile-based scorers before their first value.
            if len(self._recent) <= 3 * FLAT:
                return 0.0
            self._quarantine(error)
        except BaseException as error:
            # Rust panics are no Exception. Whatever it is, the rest of the series goes on.
            self._quarantine(error)
        return 0.0

    def _quarantine(self, error: BaseException) -> None:
        self.errors += 1
        self.quarantined = f"{error!r}, {self.errors} times"
        self._detector = self._make()
