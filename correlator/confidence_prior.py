"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 0.8898
WEIGHTS = {
    "score": 0.6599,
    "explains": 0.9339,
    "flips": -0.4583,
    "change": 0.6817,
}
CENTRE = {
    "score": 2.2083,
    "explains": 0.818,
    "flips": 0.4148,
    "change": 0.6279,
}
SCALE = {
    "score": 0.4198,
    "explains": 0.2268,
    "flips": 0.7877,
    "change": 0.6259,
}
