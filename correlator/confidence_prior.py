"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 1.372
WEIGHTS = {
    "lead": 0.4568,
    "score": 0.316,
    "explains": 0.7369,
    "flips": -0.3383,
    "others": -0.9423,
    "change": 0.8013,
}
CENTRE = {
    "lead": 1.6986,
    "score": 2.3198,
    "explains": 0.826,
    "flips": 0.2605,
    "others": 0.1175,
    "change": 0.6248,
}
SCALE = {
    "lead": 0.7111,
    "score": 0.4547,
    "explains": 0.218,
    "flips": 0.6418,
    "others": 0.2849,
    "change": 0.6266,
}
