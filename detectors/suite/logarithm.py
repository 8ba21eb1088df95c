"""Natural logarithms of whole columns, in sums and products that run in lanes; the library's is a call each.

A number is a power of two times m, from √½ to √2; with s = (m - 1) / (m + 1), log m is 2 artanh s, which is
odd: s times a short polynomial in s² (fdlibm's way; Chebyshev's over the range that s² has).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from detectors.compiled import inlined
from detectors.suite.block import BLOCK

_HALF_ROOT = int(np.float64(math.sqrt(0.5)).view(np.int64))
_FRACTION, _ONE = 2**52 - 1, 1023 << 52
_WHOLE = 1.5 * 2.0**52
_WHOLE_BITS = int(np.float64(_WHOLE).view(np.int64))
"""The end of such a double's fraction is a whole number: there is no instruction to convert many of them."""
_POWER = _WHOLE + 1023.0
LN2 = math.log(2.0)
_C0, _C1, _C2, _C3, _C4, _C5 = (
    *(0.6666666666666208, 0.40000000011206505, 0.2857142413832416),
    *(0.22222862280108716, 0.18140193802865992, 0.16621817152858928),
)
"""(2 artanh s - 2 s) / s³ in powers of s²; off by 7 · 10⁻¹⁶ of the logarithm at most."""


@inlined
def ln(x: float) -> float:
    """Return the natural logarithm of a number above 2⁻¹⁰²², to some 10⁻¹⁵ of it; exactly 0 of 1.

    Examples
    --------
    >>> ln(1.0)
    0.0
    >>> round(ln(10.0), 12)
    2.302585092994
    """
    bits: Any = np.float64(x).view(np.int64) + (_ONE - _HALF_ROOT)
    whole: Any = np.int64((bits >> 52) + _WHOLE_BITS)
    rest: Any = np.int64((bits & _FRACTION) + _HALF_ROOT)
    m = rest.view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    w = z * z
    series = (_C0 + z * _C1) + w * ((_C2 + z * _C3) + w * (_C4 + z * _C5))
    return float((whole.view(np.float64) - _POWER) * LN2 + s * (2.0 + z * series))


@inlined
def take_logarithms(reals: np.ndarray, columns: int, upto: int) -> None:
    """Replace what stands in so many columns by its logarithm."""
    for column in range(columns):
        for k in range(upto):
            reals[column * BLOCK + k] = ln(reals[column * BLOCK + k])
