"""Histograms: from cumulative or delta buckets to counts, means and quantiles of an interval."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from streams.errors import DecodeError
from streams.wire.decoders.otlp import CUMULATIVE, ExponentialPoint, HistogramPoint
from streams.wire.telemetry import TelemetryBuilder

Cells = dict[tuple[float, float], int]
"""Bucket (lower, upper] → how many values fell into it."""


class Distribution(NamedTuple):
    """What happened in one interval."""

    total: int
    sum: float | None
    cells: Cells


def interval(
    point: HistogramPoint | ExponentialPoint, temporality: int, key: str, into: TelemetryBuilder
) -> Distribution | None:
    """What one point adds to what is known of its stream; None for a baseline, a duplicate or a late point.

    A cumulative stream is a difference to its previous point. A changed start time or a shrunken count is
    a reset: then the point itself is the difference. The first point of a stream is only a baseline, for
    it may hold weeks.

    Parameters
    ----------
    key
        Identity of the stream, unique within the state of `into`.
    """
    if isinstance(point, HistogramPoint):
        _check(point)
    elif not -10 <= point.scale <= 20:
        raise DecodeError(f"scale {point.scale} is outside -10…20", field="exponentialHistogram.scale")
    if temporality != CUMULATIVE:
        return Distribution(point.total, point.sum, cells_of(point))
    return _difference(point, key, into)


def quantile(cells: Cells, q: float) -> float | None:
    """The q-quantile by linear interpolation within its bucket, as Prometheus does; None without values.

    In an unbounded bucket the nearest finite bound is the answer: less is known, not more.

    Examples
    --------
    >>> quantile({(0.0, 0.1): 90, (0.1, 0.6): 10}, 0.95)
    0.35
    """
    total = sum(cells.values())
    if total <= 0:
        return None
    rank = q * total
    seen = 0.0
    for (lower, upper), count in sorted(cells.items()):
        if count and seen + count >= rank:
            if upper == inf:
                return None if lower == -inf else lower
            if lower == -inf:
                return upper
            return lower + (upper - lower) * max(0.0, rank - seen) / count
        seen += count
    return None


def cells_of(point: HistogramPoint | ExponentialPoint) -> Cells:
    """The buckets of one point."""
    if isinstance(point, HistogramPoint):
        return _explicit(point.bounds, point.counts)
    return _exponential(point.scale, point.zero_threshold, _sparse(point))


def _check(point: HistogramPoint) -> None:
    if point.counts and len(point.counts) != len(point.bounds) + 1:
        raise DecodeError(
            f"{len(point.counts)} counts for {len(point.bounds)} bounds", field="histogram.bucketCounts"
        )
    if any(a >= b for a, b in zip(point.bounds, point.bounds[1:], strict=False)):
        raise DecodeError("bounds do not ascend", field="histogram.explicitBounds")


def _explicit(bounds: tuple[float, ...], counts: tuple[int, ...]) -> Cells:
    if not bounds or not counts:
        return {}
    first = 0.0 if bounds[0] > 0 else -inf
    return {
        cell: count
        for cell, count in zip(zip((first, *bounds), (*bounds, inf), strict=True), counts, strict=True)
        if count
    }


# Exponential buckets as {index: count}; negative values under index -1 - i of the mirrored side would
# collide with positive ones, so sides are kept apart: ("+", i), ("-", i), ("0", 0).
_Sparse = dict[tuple[str, int], int]


def _sparse(point: ExponentialPoint, scale: int | None = None) -> _Sparse:
    shift = point.scale - (point.scale if scale is None else scale)
    found: _Sparse = {}
    sides = (("+", point.positive_offset, point.positive), ("-", point.negative_offset, point.negative))
    for side, offset, counts in sides:
        for index, count in enumerate(counts, start=offset):
            if count:
                cell = (side, index >> shift)
                found[cell] = found.get(cell, 0) + count
    if point.zero_count:
        found["0", 0] = point.zero_count
    return found


def _exponential(scale: int, zero_threshold: float, sparse: _Sparse) -> Cells:
    cells: Cells = {}
    for (side, index), count in sparse.items():
        if side == "0":
            cell = (-zero_threshold, zero_threshold)
        else:
            lower, upper = _power(index, scale), _power(index + 1, scale)
            cell = (lower, upper) if side == "+" else (-upper, -lower)
        cells[cell] = cells.get(cell, 0) + count
    return cells


def _power(index: int, scale: int) -> float:
    try:
        return float(2.0 ** (index * 2.0**-scale))
    except OverflowError:
        return inf


def _difference(
    point: HistogramPoint | ExponentialPoint, key: str, into: TelemetryBuilder
) -> Distribution | None:
    previous = into.state.peek(key)
    if previous is not None and into.is_late(previous[1], point.time_ns):
        return None
    scale = 0
    if isinstance(point, HistogramPoint):
        layout: list[float] = list(point.bounds)
        counts = {("h", index): count for index, count in enumerate(point.counts) if count}
    else:
        # A stream widens by halving its scale; the finer side is brought to the coarser.
        scale = point.scale
        if previous is not None and previous[4] == "e" and previous[5] < scale:
            scale = previous[5]
        layout, counts = [], _sparse(point, scale)
    entry = [
        point.start_ns,
        point.time_ns,
        point.total,
        point.sum,
        "h" if isinstance(point, HistogramPoint) else "e",
        scale,
        layout,
        [[side, index, count] for (side, index), count in counts.items()],
    ]
    into.state.exchange(key, entry)
    if previous is None or previous[4] != entry[4] or previous[6] != layout:
        return None
    reset = point.total < previous[2] or (point.start_ns and previous[0] and point.start_ns != previous[0])
    if reset:
        return Distribution(point.total, point.sum, cells_of(point))
    before: _Sparse = {}
    for side, index, count in previous[7]:
        cell = (side, index >> (previous[5] - scale) if side in "+-" else index)
        before[cell] = before.get(cell, 0) + count
    grown = {cell: count - before.get(cell, 0) for cell, count in counts.items()}
    grown = {cell: count for cell, count in grown.items() if count > 0}
    total = None if point.sum is None or previous[3] is None else point.sum - previous[3]
    if isinstance(point, HistogramPoint):
        dense = tuple(grown.get(("h", index), 0) for index in range(len(point.counts)))
        cells = _explicit(point.bounds, dense)
    else:
        cells = _exponential(scale, point.zero_threshold, grown)
    return Distribution(point.total - previous[2], total, cells)
