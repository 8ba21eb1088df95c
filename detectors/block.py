"""What the steps of the bank hand on about the samples that they take on together."""

from __future__ import annotations

BLOCK = 32
"""Samples that a step takes on together: their rows stay in the nearest cache until the last step."""

Y, REQUESTS, SLOTS, MEDIAN, IQR, WITHIN, FLOOR, RELATIVE, POOLED, SCALE, Z, REALS = (
    BLOCK * k for k in range(12)
)
"""Where columns of a block begin, of what the steps hand on about those samples that are worth one. They are
parts of one array: of several, a loop would first have to make sure that they do not overlap."""
CODES, SHAPE, PLACE, WHOLES = (BLOCK * k for k in (0, 6, 7, 8))
"""The same of whole numbers: the codes of the quartiles, and the sample's place in the input."""
