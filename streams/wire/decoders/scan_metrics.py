"""OTLP metrics, scanned: gauges' and sums' points become rows, everything else is listed for the library."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.wire.decoders.hashed import EMPTY, find, fold, mix
from streams.wire.decoders.scan import (
    BYTES,
    FIXED64,
    GIVE_UP,
    TOO_SMALL,
    VARINT,
    compiled,
    fixed64,
    next_field,
    varint,
)

GAUGE, COUNTER, DELTA = 0, 1, 2
RESOURCE_COLUMNS = 5
"""Start, end, hash (two lanes), newest time in ns."""
MISS_COLUMNS = 9
"""Point, resource, name start and end, unit start and end, kind, point start and end."""
SLOW_COLUMNS = 3
"""Resource, metric start and end."""


@compiled
def _is_graph(buf: NDArray[np.uint8], start: np.uint64, end: np.uint64, needles: NDArray[np.uint8]) -> bool:
    """Whether a metric's name starts like a service graph's; `needles` holds two prefixes of 21 bytes."""
    if end - start < np.uint64(21):
        return False
    for row in range(2):
        same = True
        for i in range(21):
            if buf[start + np.uint64(i)] != needles[row, i]:
                same = False
                break
        if same:
            return True
    return False


@compiled
def scan_metrics(
    buf: NDArray[np.uint8],
    needles: NDArray[np.uint8],
    secret: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    series: NDArray[np.int64],
    time_ns: NDArray[np.int64],
    value: NDArray[np.float64],
    bits: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    resources: NDArray[np.int64],
    misses: NDArray[np.int64],
    slow: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """Scan an OTLP metrics request; gauges' and sums' points become rows, all else is listed as slow.

    Parameters
    ----------
    secret : the key of the hash, known to the process alone, so that nobody can aim at a collision
    series : out, the value under each point's hash, -1 on first sight (then there is a row in `misses`)
    bits : the same memory as `value`
    hashes : out, (n, 2)
    counts : out, how many points, resources, misses, slow metrics

    Returns
    -------
    int
        0, `GIVE_UP` or `TOO_SMALL`.
    """
    end = np.uint64(len(buf))
    at = np.uint64(0)
    points = 0
    found_resources = 0
    missed = 0
    slowed = 0
    while at < end:
        field, wire, holder_start, at = next_field(buf, at, end)
        if field == 0 or (field == 1 and wire != BYTES):
            return GIVE_UP
        if field != 1:
            continue
        holder_end = at

        # The resource may stand behind its metrics.
        resource_start, resource_end = np.uint64(0), np.uint64(0)
        seen = 0
        here = holder_start
        while here < holder_end:
            field, wire, start, here = next_field(buf, here, holder_end)
            if field == 0 or (field <= 2 and wire != BYTES):
                return GIVE_UP
            if field == 1:
                resource_start, resource_end = start, here
                seen += 1
        if seen > 1:
            return GIVE_UP
        if found_resources >= len(resources):
            return TOO_SMALL
        resource_low, resource_high = fold(buf, resource_start, resource_end, EMPTY, EMPTY, secret)
        newest = np.int64(0)

        here = holder_start
        while here < holder_end:
            field, wire, inner, here = next_field(buf, here, holder_end)
            if field != 2:
                continue
            scope_end = here
            while inner < scope_end:
                field, wire, metric_start, inner = next_field(buf, inner, scope_end)
                if field == 0 or (field == 2 and wire != BYTES):
                    return GIVE_UP
                if field != 2:
                    continue
                metric_end = inner

                name_start, name_end = np.uint64(0), np.uint64(0)
                unit_start, unit_end = np.uint64(0), np.uint64(0)
                data_start, data_end, data_field = np.uint64(0), np.uint64(0), 0
                cursor = metric_start
                while cursor < metric_end:
                    field, wire, start, cursor = next_field(buf, cursor, metric_end)
                    is_data = field == 5 or field == 7 or 9 <= field <= 11
                    if field == 0 or ((field == 1 or field == 3 or is_data) and wire != BYTES):
                        return GIVE_UP
                    if field == 1:
                        name_start, name_end = start, cursor
                    elif field == 3:
                        unit_start, unit_end = start, cursor
                    elif is_data:
                        if data_field != 0:
                            return GIVE_UP
                        data_field, data_start, data_end = field, start, cursor
                if data_field == 0:
                    continue
                plain = data_field == 5 or data_field == 7
                if not plain or _is_graph(buf, name_start, name_end, needles):
                    if slowed >= len(slow):
                        return TOO_SMALL
                    slow[slowed, 0] = found_resources
                    slow[slowed, 1] = np.int64(metric_start)
                    slow[slowed, 2] = np.int64(metric_end)
                    slowed += 1
                    continue

                # Temporality and monotonicity stand behind the points, and are part of the identity.
                temporality, monotonic = np.uint64(0), np.uint64(0)
                cursor = data_start
                while cursor < data_end:
                    field, wire, start, cursor = next_field(buf, cursor, data_end)
                    if field == 0 or (field == 1 and wire != BYTES):
                        return GIVE_UP
                    if data_field == 7 and (field == 2 or field == 3):
                        if wire != VARINT:
                            return GIVE_UP
                        flag, _ = varint(buf, start, cursor)
                        if field == 3:
                            monotonic = flag
                        elif flag > np.uint64(2):
                            return GIVE_UP
                        else:
                            temporality = flag
                kind = GAUGE
                if data_field == 7:
                    if temporality == np.uint64(1):
                        kind = DELTA
                    elif temporality == np.uint64(2) and monotonic != np.uint64(0):
                        kind = COUNTER
                low, high = fold(buf, name_start, name_end, resource_low, resource_high, secret)
                low, high = fold(buf, unit_start, unit_end, low, high, secret)
                metric_low, metric_high = mix(low, high, np.uint64(kind + 1), secret)

                cursor = data_start
                while cursor < data_end:
                    field, wire, point_start, cursor = next_field(buf, cursor, data_end)
                    if field != 1:
                        continue
                    point_end = cursor
                    if points >= len(series):
                        return TOO_SMALL
                    low, high = metric_low, metric_high
                    stamp = np.uint64(0)
                    flags = np.uint64(0)
                    has_value = False
                    # Attributes stand together, as a rule: hashed as one stretch, with tags and lengths.
                    held_start, held_end = point_start, point_start
                    spot = point_start
                    while spot < point_end:
                        begin = spot
                        field, wire, start, spot = next_field(buf, spot, point_end)
                        if field == 7:
                            if wire != BYTES:
                                return GIVE_UP
                            if held_end != begin:
                                low, high = fold(buf, held_start, held_end, low, high, secret)
                                held_start = begin
                            held_end = spot
                        elif field == 3 or field == 4 or field == 6:
                            if wire != FIXED64:
                                return GIVE_UP
                            word = fixed64(buf, start)
                            if field == 3:
                                stamp = word
                            elif field == 4:
                                bits[points] = word
                                has_value = True
                            else:
                                value[points] = np.float64(np.int64(word))
                                has_value = True
                        elif field == 8:
                            if wire != VARINT:
                                return GIVE_UP
                            flags, _ = varint(buf, start, spot)
                        elif field == 0:
                            return GIVE_UP
                    if not has_value or flags & np.uint64(1) != np.uint64(0):
                        continue
                    if stamp > np.uint64(0x7FFFFFFFFFFFFFFF):
                        return GIVE_UP
                    time_ns[points] = np.int64(stamp)
                    newest = max(newest, np.int64(stamp))
                    low, high = fold(buf, held_start, held_end, low, high, secret)
                    hashes[points, 0] = low
                    hashes[points, 1] = high
                    number = find(keys, values, low, high)
                    series[points] = number
                    if number < 0:
                        if missed >= len(misses):
                            return TOO_SMALL
                        misses[missed, 0] = points
                        misses[missed, 1] = found_resources
                        misses[missed, 2] = np.int64(name_start)
                        misses[missed, 3] = np.int64(name_end)
                        misses[missed, 4] = np.int64(unit_start)
                        misses[missed, 5] = np.int64(unit_end)
                        misses[missed, 6] = kind
                        misses[missed, 7] = np.int64(point_start)
                        misses[missed, 8] = np.int64(point_end)
                        missed += 1
                    points += 1
        resources[found_resources, 0] = np.int64(resource_start)
        resources[found_resources, 1] = np.int64(resource_end)
        resources[found_resources, 2] = np.int64(resource_low)
        resources[found_resources, 3] = np.int64(resource_high)
        resources[found_resources, 4] = newest
        found_resources += 1
    counts[0], counts[1], counts[2], counts[3] = points, found_resources, missed, slowed
    return 0
