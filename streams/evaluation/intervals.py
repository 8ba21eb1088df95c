"""How far a figure from few cases can be trusted: Wilson for shares, exact Poisson for rates."""

from __future__ import annotations

import math
from collections.abc import Callable

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal: two-sided 95 %."""


def wilson(hits: float, cases: int) -> tuple[float, float] | None:
    """95 % interval of a share; None without cases. Wilson, JASA 22 (1927).

    `hits` may be fractional (a mean of shares over `cases`), where the interval is conservative.

    Examples
    --------
    >>> [round(x, 3) for x in wilson(9, 24)]
    [0.212, 0.573]
    """
    if not cases:
        return None
    share, z2 = hits / cases, Z_95**2
    centre = (share + z2 / (2 * cases)) / (1 + z2 / cases)
    half = Z_95 / (1 + z2 / cases) * math.sqrt(share * (1 - share) / cases + z2 / (4 * cases**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def poisson_rate(events: int, exposure: float) -> tuple[float, float] | None:
    """Exact 95 % interval of a rate from `events` in `exposure`; None without exposure.

    The limits solve P(N >= events | low) = P(N <= events | high) = 2.5 %. Garwood, Biometrika 28 (1936).

    Examples
    --------
    >>> [round(x, 4) for x in poisson_rate(0, 57)]
    [0.0, 0.0647]
    >>> [round(x, 2) for x in poisson_rate(10, 1)]
    [4.8, 18.39]
    """
    if exposure <= 0:
        return None
    tail = 0.025
    low = 0.0 if events == 0 else _root(lambda mean: tail - (1 - _at_most(events - 1, mean)), events)
    high = _root(lambda mean: _at_most(events, mean) - tail, events)
    return low / exposure, high / exposure


def _at_most(events: int, mean: float) -> float:
    """P(N <= events) for a Poisson variable, summed in logarithms so that large means do not underflow."""
    if mean <= 0:
        return 1.0
    terms = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(events + 1))
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def _root(falling: Callable[[float], float], events: int) -> float:
    """Where a falling function of the mean crosses zero, by bisection."""
    low, high = 0.0, 10.0 + events + 10 * math.sqrt(events + 1)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2
