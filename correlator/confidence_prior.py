"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 0.9775
WEIGHTS = {
    "lead": 0.221,
    "score": 0.6462,
    "explains": 0.5659,
    "flips": -0.3517,
    "change": 0.7762,
}
CENTRE = {
    "lead": 1.4909,
    "score": 2.2007,
    "explains": 0.8431,
    "flips": 0.36,
    "change": 0.6213,
}
SCALE = {
    "lead": 0.6937,
    "score": 0.4156,
    "explains": 0.1966,
    "flips": 0.7243,
    "change": 0.6267,
}
