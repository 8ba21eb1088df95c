"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 1.5837
WEIGHTS = {
    "lead": 0.2591,
    "score": 0.6858,
    "explains": 0.6235,
    "flips": -0.3727,
    "others": -0.7374,
    "change": 0.7383,
}
CENTRE = {
    "lead": 1.6898,
    "score": 2.261,
    "explains": 0.8275,
    "flips": 0.2347,
    "others": 0.1153,
    "change": 0.6394,
}
SCALE = {
    "lead": 0.7149,
    "score": 0.5013,
    "explains": 0.2177,
    "flips": 0.6491,
    "others": 0.2787,
    "change": 0.6304,
}
