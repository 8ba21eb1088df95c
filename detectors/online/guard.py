"""A detector that raises is silent for its series from then on; all others go on."""

from __future__ import annotations

import math

from detectors.online.protocol import OnlineDetector, Sample

_PASSING = (KeyboardInterrupt, SystemExit, GeneratorExit)


class Guarded:
    """Keeps what a detector raises to itself and remembers it; scores that are no numbers are 0.

    Parameters
    ----------
    detector
        Anybody's: what comes by an entry point is not ours to trust.
    """

    def __init__(self, detector: OnlineDetector) -> None:
        self._detector = detector
        self._raised: str | None = None

    @property
    def quarantined(self) -> str | None:
        """What was raised, also by a detector that has a guard of its own; None while it works."""
        return self._raised or getattr(self._detector, "quarantined", None)

    def score_one(self, x: Sample) -> float:
        """Return the detector's score; 0 from the first call that raises."""
        if self._raised is not None:
            return 0.0
        try:
            score = float(self._detector.score_one(x))
        except _PASSING:
            raise
        except BaseException as error:
            # Panics of extensions are no Exception.
            self._raised = repr(error)
            return 0.0
        return max(score, 0.0) if math.isfinite(score) else 0.0

    def learn_one(self, x: Sample) -> None:
        """Hand the sample on, unless the detector has raised."""
        if self._raised is not None:
            return
        try:
            self._detector.learn_one(x)
        except _PASSING:
            raise
        except BaseException as error:
            self._raised = repr(error)
