"""The fitted prior of `correlator.confidence`; written by `headwater calibrate`, not by hand."""

BIAS = 1.485
WEIGHTS = {
    "lead": 0.0629,
    "score": 0.437,
    "explains": 0.8223,
    "flips": -0.5837,
    "change": 0.8955,
}
CENTRE = {
    "lead": 1.6262,
    "score": 2.2689,
    "explains": 0.8522,
    "flips": 0.289,
    "change": 0.6286,
}
SCALE = {
    "lead": 0.687,
    "score": 0.3975,
    "explains": 0.1876,
    "flips": 0.6587,
    "change": 0.6249,
}
