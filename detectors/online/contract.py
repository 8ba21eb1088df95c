"""One contract for every detector of one series; each check is a function that raises AssertionError."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from detectors.online.protocol import OnlineDetector, Sample

Make = Callable[[], OnlineDetector]
MINUTE_MS = 60_000
BOUND_BYTES = 65_536


def _samples(count: int, seed: int = 7) -> list[Sample]:
    rng = np.random.default_rng(seed)
    values = 50 + 5 * rng.standard_normal(count)
    return [{"ts_ms": (k + 1) * MINUTE_MS, "value": float(v)} for k, v in enumerate(values)]


def _scores(detector: OnlineDetector, samples: list[Sample]) -> list[float]:
    scores = []
    for each in samples:
        scores.append(detector.score_one(each))
        detector.learn_one(each)
    return scores


def _require(truth: bool, message: str) -> None:
    if not truth:
        raise AssertionError(message)


def cold_score_is_zero(make: Make) -> None:
    """A detector that has seen nothing is not surprised."""
    _require(make().score_one({"ts_ms": 1, "value": 3.0}) == 0.0, "a cold detector scores something")


def scores_are_finite_and_not_negative(make: Make) -> None:
    """Whatever comes, a score is a number from 0 up."""
    samples = _samples(300)
    for k, value in enumerate((1e300, -1e300, 1e-300, 0.0, -0.0)):
        samples[200 + 10 * k]["value"] = value
    for score in _scores(make(), samples):
        _require(math.isfinite(score) and score >= 0, f"score {score}")


def scoring_changes_nothing(make: Make) -> None:
    """Asking twice, or about something else in between, is no learning."""
    asked, quiet = make(), make()
    for each in _samples(200):
        first = asked.score_one(each)
        _require(asked.score_one(each) == first, "the second answer differs from the first")
        _require(quiet.score_one(each) == first, "being asked twice changed a later answer")
        asked.learn_one(each)
        quiet.learn_one(each)


def the_same_input_gives_the_same_scores(make: Make) -> None:
    """Determinism: no clock, no unseeded randomness."""
    _require(_scores(make(), _samples(300)) == _scores(make(), _samples(300)), "two runs differ")


def nan_and_infinity_leave_no_trace(make: Make) -> None:
    """A missing sample scores 0 and teaches nothing."""
    clean, spoiled = make(), make()
    for each in _samples(200):
        for poison in (math.nan, math.inf, -math.inf):
            bad: Sample = {"ts_ms": each["ts_ms"] - 1, "value": poison}
            _require(spoiled.score_one(bad) == 0.0, f"{poison} scores")
            spoiled.learn_one(bad)
        _require(clean.score_one(each) == spoiled.score_one(each), "poison changed a score")
        clean.learn_one(each)
        spoiled.learn_one(each)


def integers_are_numbers(make: Make) -> None:
    """An int scores like the float of the same value."""
    ints: list[Sample] = [{"ts_ms": (k + 1) * MINUTE_MS, "value": int(k % 7)} for k in range(200)]
    floats: list[Sample] = [{"ts_ms": each["ts_ms"], "value": float(each["value"])} for each in ints]
    _require(_scores(make(), ints) == _scores(make(), floats), "ints score differently")


def a_constant_is_no_surprise(make: Make) -> None:
    """A series that stays what it is scores 0."""
    samples: list[Sample] = [{"ts_ms": (k + 1) * MINUTE_MS, "value": 4.2} for k in range(200)]
    _require(max(_scores(make(), samples)[20:]) == 0.0, "a constant surprises")


def state_is_bounded(make: Make) -> None:
    """Ten times the samples make no larger state."""
    short, long = make(), make()
    _scores(short, _samples(1000))
    _scores(long, _samples(5000))
    _require(len(long.dump()) <= max(1.05 * len(short.dump()), 1024), "state grows with the stream")
    _require(len(long.dump()) <= BOUND_BYTES, "state is larger than 64 KiB")


def a_restored_state_goes_on(make: Make) -> None:
    """`restore(dump())` gives a detector with the same state, that answers alike."""
    first, second = make(), make()
    samples = _samples(400)
    _scores(first, samples[:300])
    second.restore(first.dump())
    _require(second.dump() == first.dump(), "the restored state differs")
    ours, theirs = _scores(first, samples[300:]), _scores(second, samples[300:])
    _require(np.allclose(ours, theirs, rtol=1e-9, atol=1e-12), "answers differ after a restart")


def a_damaged_state_is_refused(make: Make) -> None:
    """Bytes that are no state raise ValueError and say so."""
    detector = make()
    _scores(detector, _samples(50))
    good = detector.dump()
    for bad in (b"", b"x", good[: len(good) // 2], b"\xff" * len(good)):
        try:
            make().restore(bad)
        except ValueError:
            continue
        raise AssertionError("a damaged state was accepted")


CHECKS: tuple[Callable[[Make], None], ...] = (
    cold_score_is_zero,
    scores_are_finite_and_not_negative,
    scoring_changes_nothing,
    the_same_input_gives_the_same_scores,
    nan_and_infinity_leave_no_trace,
    integers_are_numbers,
    a_constant_is_no_surprise,
    state_is_bounded,
    a_restored_state_goes_on,
    a_damaged_state_is_refused,
)


def check(make: Make) -> None:
    """Hold a detector to the whole contract.

    Raises
    ------
    AssertionError
        The first promise that it breaks.
    """
    for each in CHECKS:
        each(make)
