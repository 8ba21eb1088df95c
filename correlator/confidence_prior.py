"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 1.3995
WEIGHTS = {
    "lead": 0.3169,
    "score": 0.4905,
    "explains": 0.6067,
    "flips": -0.5061,
    "others": -0.9449,
    "change": 0.825,
}
CENTRE = {
    "lead": 1.6699,
    "score": 2.297,
    "explains": 0.8296,
    "flips": 0.2754,
    "others": 0.144,
    "change": 0.6247,
}
SCALE = {
    "lead": 0.6982,
    "score": 0.4418,
    "explains": 0.2178,
    "flips": 0.6715,
    "others": 0.3192,
    "change": 0.6272,
}
