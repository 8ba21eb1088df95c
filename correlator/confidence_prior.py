"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 1.3346
WEIGHTS = {
    "lead": 0.1335,
    "score": 0.6697,
    "explains": 0.5649,
    "flips": -0.4059,
    "others": -0.8024,
    "unseen": -0.466,
    "change": 0.7447,
}
CENTRE = {
    "lead": 1.6837,
    "score": 2.2555,
    "explains": 0.8248,
    "flips": 0.2439,
    "others": 0.1235,
    "unseen": 0.2226,
    "change": 0.6414,
}
SCALE = {
    "lead": 0.7152,
    "score": 0.4972,
    "explains": 0.2214,
    "flips": 0.6575,
    "others": 0.2935,
    "unseen": 0.3246,
    "change": 0.6279,
}
