"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 0.9767
WEIGHTS = {
    "lead": 0.2102,
    "score": 0.6364,
    "explains": 0.5737,
    "flips": -0.3402,
    "change": 0.7693,
}
CENTRE = {
    "lead": 1.4866,
    "score": 2.1938,
    "explains": 0.844,
    "flips": 0.3566,
    "change": 0.6213,
}
SCALE = {
    "lead": 0.6931,
    "score": 0.4159,
    "explains": 0.1967,
    "flips": 0.7217,
    "change": 0.6267,
}
