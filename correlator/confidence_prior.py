"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 1.335
WEIGHTS = {
    "lead": 0.0936,
    "score": 0.6867,
    "explains": 0.5496,
    "flips": -0.5583,
    "size": -0.5483,
    "change": 0.7637,
}
CENTRE = {
    "lead": 1.669,
    "score": 2.2968,
    "explains": 0.8293,
    "flips": 0.2754,
    "size": 3.2078,
    "change": 0.6247,
}
SCALE = {
    "lead": 0.6985,
    "score": 0.4423,
    "explains": 0.2181,
    "flips": 0.6715,
    "size": 0.83,
    "change": 0.6272,
}
