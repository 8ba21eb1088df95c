"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 1.6288
WEIGHTS = {
    "lead": 0.308,
    "score": 0.3391,
    "explains": 0.6047,
    "flips": -0.1991,
    "change": 0.8411,
}
CENTRE = {
    "lead": 1.6704,
    "score": 2.2876,
    "explains": 0.8499,
    "flips": 0.2478,
    "change": 0.6326,
}
SCALE = {
    "lead": 0.6596,
    "score": 0.3905,
    "explains": 0.1989,
    "flips": 0.6411,
    "change": 0.6277,
}
