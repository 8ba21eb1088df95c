"""Baseline values and deviations in two bytes.

A baseline is compared with spreads of at least 5 % of the level, or a tenth in logarithms: a thousandth of
that is enough, and sixty values of two bytes are one cache line and a half instead of four.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from detectors.compiled import compiled, inlined

FIXED = 400.0
"""Steps a unit for logarithms, which lie within ±70; off by at most 0.00125, floors being 0.1."""
MOST = 32766
"""One less than two bytes hold: the largest stands for an unused place."""
MANTISSA = 512
"""Steps a power of two for all else; off by at most a thousandth of the value, floors being a twentieth."""
LEAST_POWER = -23
"""Values below 1.2e-7 are 0, those above 2.2e12 (two terabytes) are that."""
_FRACTION, _ONE = 2**52 - 1, 1023 << 52
"""Bits of a double's fraction, and of the exponent of 1."""
_SHIFT, _ZERO = 52 - 9, (1023 + LEAST_POWER) * MANTISSA
"""A code is the upper end of a double's bits, less that of the smallest: nine bits of fraction stay."""
_WHOLE = 1.5 * 2.0**52
_WHOLE_BITS = int(np.float64(_WHOLE).view(np.int64))


@compiled
def halved(y: float) -> tuple[int, float]:
    """Return the power of two at or below the size of a number, and its multiple in it, 1 to 2.

    What `math.frexp` does, which compiled code has no instruction for: the call took an eighth of all time
    of the fleet's bank. Numbers below 1e-307 come out as if they were that.

    Examples
    --------
    >>> halved(-6.0)
    (2, 1.5)
    """
    bits: Any = np.float64(abs(y)).view(np.int64)
    share: Any = np.int64(bits & _FRACTION | _ONE).view(np.float64)
    return (bits >> 52) - 1023, share


@compiled
def code_of(shape: int, y: float) -> int:
    """Return the code of a transformed value; codes order like values."""
    if shape == 1 or shape == 3:
        return math.floor(min(max(y * FIXED, -MOST), MOST) + 0.5)
    if y == 0.0:
        return 0
    power, share = halved(y)
    magnitude = int((power - LEAST_POWER + share - 1.0) * MANTISSA + 0.5)
    magnitude = min(max(magnitude, 0), MOST)
    return magnitude if y > 0.0 else -magnitude


@inlined
def value_of(shape: int, code: int) -> float:
    """Return the value that a code stands for. Without branches, so that loops over codes run in lanes."""
    bits: Any = np.int64((np.int64(abs(code)) + _ZERO) << _SHIFT)
    size = bits.view(np.float64)
    size = size if code != 0 else 0.0
    # The end of such a double's fraction is a whole number: there is no instruction to convert many of them.
    whole: Any = np.int64(np.int64(code) + _WHOLE_BITS)
    scaled = (whole.view(np.float64) - _WHOLE) * (1.0 / FIXED)
    return float(scaled if shape == 1 or shape == 3 else size if code >= 0 else -size)
