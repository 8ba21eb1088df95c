"""Protobuf read in place: the hot path's scanners, compiled, and the table from raw bytes to series numbers.

A scanner walks the wire format itself (protobuf.dev/programming-guides/encoding), builds nothing, and hashes
the bytes that name a series (resource, metric, attributes) instead of decoding them; only a hash seen for the
first time is decoded, by the standard's own classes. Whatever is not plain and well-formed (groups, repeated
singular fields, unexpected wire types, truncation) makes it give up, and the library decides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiler

GIVE_UP = -1
"""Not plain enough for a scanner: ask the library."""
TOO_SMALL = -2
"""The output arrays are full: double them and scan again."""

GAUGE, COUNTER, DELTA = 0, 1, 2
RESOURCE_COLUMNS = 5
"""Start, end, hash (two lanes), newest time in ns."""
MISS_COLUMNS = 9
"""Point, resource, name start and end, unit start and end, kind, point start and end."""
SLOW_COLUMNS = 3
"""Resource, metric start and end."""

# Odd constants with well-mixed bits (splitmix64's and xxHash's); the lanes must differ in all they do.
_P1, _P2, _P3 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xFF51AFD7ED558CCD

compiled = compiler("streams.wire.decoders", boundscheck=False)
"""Of all scanners: a change of one of their files compiles them all anew."""


@compiled
def _long_varint(buf: NDArray[np.uint8], at: np.uint64, end: np.uint64) -> tuple[np.uint64, np.uint64]:
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < end:
        byte = np.uint64(buf[at])
        at += np.uint64(1)
        if shift == np.uint64(63) and byte > np.uint64(1):
            break
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            return value, at
        shift += np.uint64(7)
        if shift > np.uint64(63):
            break
    return np.uint64(0), end + np.uint64(1)


@compiled
def varint(buf: NDArray[np.uint8], at: np.uint64, end: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Value and next position; a position behind `end` tells that it is broken."""
    if at < end and buf[at] < 0x80:  # nearly all: tags, and lengths of what is short
        return np.uint64(buf[at]), at + np.uint64(1)
    return _long_varint(buf, at, end)


@compiled
def fixed64(buf: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    """Eight bytes, the lowest first; they must be there."""
    return (
        np.uint64(buf[at])
        | np.uint64(buf[at + np.uint64(1)]) << np.uint64(8)
        | np.uint64(buf[at + np.uint64(2)]) << np.uint64(16)
        | np.uint64(buf[at + np.uint64(3)]) << np.uint64(24)
        | np.uint64(buf[at + np.uint64(4)]) << np.uint64(32)
        | np.uint64(buf[at + np.uint64(5)]) << np.uint64(40)
        | np.uint64(buf[at + np.uint64(6)]) << np.uint64(48)
        | np.uint64(buf[at + np.uint64(7)]) << np.uint64(56)
    )


@compiled
def skip(buf: NDArray[np.uint8], at: np.uint64, end: np.uint64, wire: np.uint64) -> np.uint64:
    """Position behind a field that is not read; behind `end` if it is broken or a group."""
    if wire == np.uint64(0):
        _, at = varint(buf, at, end)
        return at
    if wire == np.uint64(1):
        return at + np.uint64(8)
    if wire == np.uint64(5):
        return at + np.uint64(4)
    if wire == np.uint64(2):
        length, at = varint(buf, at, end)
        if at > end or length > end - at:
            return end + np.uint64(1)
        return at + length
    return end + np.uint64(1)


@compiled
def _mix(low: np.uint64, high: np.uint64, word: np.uint64) -> tuple[np.uint64, np.uint64]:
    low = (low ^ word) * np.uint64(_P1)
    low ^= low >> np.uint64(29)
    high = (high + word) * np.uint64(_P2)
    high ^= high >> np.uint64(32)
    return low, high


@compiled
def _hash(
    buf: NDArray[np.uint8], start: np.uint64, end: np.uint64, low: np.uint64, high: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Fold a stretch of bytes, and its length, into a hash of two lanes of 64 bits."""
    low, high = _mix(low, high, (end - start) * np.uint64(_P3))
    at = start
    while at + np.uint64(8) <= end:
        low, high = _mix(low, high, fixed64(buf, at))
        at += np.uint64(8)
    if end - start >= np.uint64(8):
        # The last eight bytes, some of them once more: the length is in the hash already.
        return _mix(low, high, fixed64(buf, end - np.uint64(8)))
    word = np.uint64(0)
    shift = np.uint64(0)
    while at < end:
        word |= np.uint64(buf[at]) << shift
        shift += np.uint64(8)
        at += np.uint64(1)
    return _mix(low, high, word)


@compiled
def find(keys: NDArray[np.uint64], values: NDArray[np.int64], low: np.uint64, high: np.uint64) -> np.int64:
    """The value under a hash, -1 if there is none. `keys` is (capacity, 2), capacity a power of two."""
    mask = np.uint64(len(values) - 1)
    slot = (low ^ (high >> np.uint64(7))) & mask
    while values[slot] != -1:
        if keys[slot, 0] == low and keys[slot, 1] == high:
            return np.int64(values[slot])
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1)


@compiled
def put(
    keys: NDArray[np.uint64], values: NDArray[np.int64], low: np.uint64, high: np.uint64, value: np.int64
) -> None:
    """Set the value under a hash; there must be room."""
    mask = np.uint64(len(values) - 1)
    slot = (low ^ (high >> np.uint64(7))) & mask
    while values[slot] != -1 and not (keys[slot, 0] == low and keys[slot, 1] == high):
        slot = (slot + np.uint64(1)) & mask
    keys[slot, 0] = low
    keys[slot, 1] = high
    values[slot] = value


@compiled
def rehash(
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    new_keys: NDArray[np.uint64],
    new_values: NDArray[np.int64],
) -> None:
    """Move all entries into a larger table."""
    for slot in range(len(values)):
        if values[slot] != -1:
            put(new_keys, new_values, keys[slot, 0], keys[slot, 1], values[slot])


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
    seed: NDArray[np.uint64],
    needles: NDArray[np.uint8],
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
    seed : two lanes to start every hash from, secret to the process, so that nobody can aim at a collision
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
        tag, at = varint(buf, at, end)
        if at > end or tag >> np.uint64(3) == np.uint64(0):
            return GIVE_UP
        wire = tag & np.uint64(7)
        if tag != np.uint64(0x0A):
            if tag >> np.uint64(3) == np.uint64(1):
                return GIVE_UP
            at = skip(buf, at, end, wire)
            if at > end:
                return GIVE_UP
            continue
        length, at = varint(buf, at, end)
        if at > end or length > end - at:
            return GIVE_UP
        holder_start, holder_end = at, at + length
        at = holder_end

        # The resource may stand behind its metrics.
        resource_start, resource_end = np.uint64(0), np.uint64(0)
        seen = 0
        here = holder_start
        while here < holder_end:
            tag, here = varint(buf, here, holder_end)
            if here > holder_end or tag >> np.uint64(3) == np.uint64(0):
                return GIVE_UP
            if tag == np.uint64(0x0A):
                length, here = varint(buf, here, holder_end)
                if here > holder_end or length > holder_end - here:
                    return GIVE_UP
                resource_start, resource_end = here, here + length
                here = resource_end
                seen += 1
            elif tag >> np.uint64(3) == np.uint64(1):
                return GIVE_UP
            else:
                here = skip(buf, here, holder_end, tag & np.uint64(7))
                if here > holder_end:
                    return GIVE_UP
        if seen > 1:
            return GIVE_UP
        if found_resources >= len(resources):
            return TOO_SMALL
        resource_low, resource_high = _hash(buf, resource_start, resource_end, seed[0], seed[1])
        newest = np.int64(0)

        here = holder_start
        while here < holder_end:
            tag, here = varint(buf, here, holder_end)
            if tag != np.uint64(0x12):
                if tag >> np.uint64(3) == np.uint64(2):
                    return GIVE_UP
                here = skip(buf, here, holder_end, tag & np.uint64(7))
                continue
            length, here = varint(buf, here, holder_end)
            scope_end = here + length
            inner = here
            here = scope_end
            while inner < scope_end:
                tag, inner = varint(buf, inner, scope_end)
                if inner > scope_end or tag >> np.uint64(3) == np.uint64(0):
                    return GIVE_UP
                if tag != np.uint64(0x12):
                    if tag >> np.uint64(3) == np.uint64(2):
                        return GIVE_UP
                    inner = skip(buf, inner, scope_end, tag & np.uint64(7))
                    if inner > scope_end:
                        return GIVE_UP
                    continue
                length, inner = varint(buf, inner, scope_end)
                if inner > scope_end or length > scope_end - inner:
                    return GIVE_UP
                metric_start, metric_end = inner, inner + length
                inner = metric_end

                name_start, name_end = np.uint64(0), np.uint64(0)
                unit_start, unit_end = np.uint64(0), np.uint64(0)
                data_start, data_end, data_field = np.uint64(0), np.uint64(0), np.uint64(0)
                cursor = metric_start
                while cursor < metric_end:
                    tag, cursor = varint(buf, cursor, metric_end)
                    if cursor > metric_end or tag >> np.uint64(3) == np.uint64(0):
                        return GIVE_UP
                    field, wire = tag >> np.uint64(3), tag & np.uint64(7)
                    known = (
                        field == np.uint64(1)
                        or field == np.uint64(3)
                        or field == np.uint64(5)
                        or field == np.uint64(7)
                        or (np.uint64(9) <= field and field <= np.uint64(11))
                    )
                    if not known:
                        cursor = skip(buf, cursor, metric_end, wire)
                        if cursor > metric_end:
                            return GIVE_UP
                        continue
                    if wire != np.uint64(2):
                        return GIVE_UP
                    length, cursor = varint(buf, cursor, metric_end)
                    if cursor > metric_end or length > metric_end - cursor:
                        return GIVE_UP
                    if field == np.uint64(1):
                        name_start, name_end = cursor, cursor + length
                    elif field == np.uint64(3):
                        unit_start, unit_end = cursor, cursor + length
                    else:
                        if data_field != np.uint64(0):
                            return GIVE_UP
                        data_field, data_start, data_end = field, cursor, cursor + length
                    cursor += length
                if data_field == np.uint64(0):
                    continue
                plain = data_field == np.uint64(5) or data_field == np.uint64(7)
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
                    tag, cursor = varint(buf, cursor, data_end)
                    if cursor > data_end or tag >> np.uint64(3) == np.uint64(0):
                        return GIVE_UP
                    field, wire = tag >> np.uint64(3), tag & np.uint64(7)
                    if field == np.uint64(1) and wire != np.uint64(2):
                        return GIVE_UP
                    if data_field == np.uint64(7) and (field == np.uint64(2) or field == np.uint64(3)):
                        if wire != np.uint64(0):
                            return GIVE_UP
                        flag, cursor = varint(buf, cursor, data_end)
                        if cursor > data_end or (field == np.uint64(2) and flag > np.uint64(2)):
                            return GIVE_UP
                        if field == np.uint64(2):
                            temporality = flag
                        else:
                            monotonic = flag
                        continue
                    cursor = skip(buf, cursor, data_end, wire)
                    if cursor > data_end:
                        return GIVE_UP
                kind = GAUGE
                if data_field == np.uint64(7):
                    if temporality == np.uint64(1):
                        kind = DELTA
                    elif temporality == np.uint64(2) and monotonic != np.uint64(0):
                        kind = COUNTER
                low, high = _hash(buf, name_start, name_end, resource_low, resource_high)
                low, high = _hash(buf, unit_start, unit_end, low, high)
                metric_low, metric_high = _mix(low, high, np.uint64(kind + 1))

                cursor = data_start
                while cursor < data_end:
                    tag, cursor = varint(buf, cursor, data_end)
                    if tag != np.uint64(0x0A):
                        cursor = skip(buf, cursor, data_end, tag & np.uint64(7))
                        continue
                    length, cursor = varint(buf, cursor, data_end)
                    point_start, point_end = cursor, cursor + length
                    cursor = point_end
                    if points >= len(series):
                        return TOO_SMALL
                    low, high = metric_low, metric_high
                    stamp = np.uint64(0)
                    flags = np.uint64(0)
                    has_value = False
                    spot = point_start
                    while spot < point_end:
                        tag, spot = varint(buf, spot, point_end)
                        if spot > point_end or tag >> np.uint64(3) == np.uint64(0):
                            return GIVE_UP
                        field, wire = tag >> np.uint64(3), tag & np.uint64(7)
                        if field == np.uint64(7):
                            if wire != np.uint64(2):
                                return GIVE_UP
                            length, spot = varint(buf, spot, point_end)
                            if spot > point_end or length > point_end - spot:
                                return GIVE_UP
                            low, high = _hash(buf, spot, spot + length, low, high)
                            spot += length
                        elif field == np.uint64(3) or field == np.uint64(4) or field == np.uint64(6):
                            if wire != np.uint64(1) or point_end - spot < np.uint64(8):
                                return GIVE_UP
                            word = fixed64(buf, spot)
                            spot += np.uint64(8)
                            if field == np.uint64(3):
                                stamp = word
                            elif field == np.uint64(4):
                                bits[points] = word
                                has_value = True
                            else:
                                value[points] = np.float64(np.int64(word))
                                has_value = True
                        elif field == np.uint64(8):
                            if wire != np.uint64(0):
                                return GIVE_UP
                            flags, spot = varint(buf, spot, point_end)
                            if spot > point_end:
                                return GIVE_UP
                        else:
                            spot = skip(buf, spot, point_end, wire)
                            if spot > point_end:
                                return GIVE_UP
                    if not has_value or flags & np.uint64(1) != np.uint64(0):
                        continue
                    if stamp > np.uint64(0x7FFFFFFFFFFFFFFF):
                        return GIVE_UP
                    time_ns[points] = np.int64(stamp)
                    newest = max(newest, np.int64(stamp))
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


@compiled
def scan_remote_write(
    buf: NDArray[np.uint8],
    seed: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    series: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    value: NDArray[np.float64],
    bits: NDArray[np.uint64],
    misses: NDArray[np.int64],
    miss_hashes: NDArray[np.uint64],
    counts: NDArray[np.int64],
) -> int:
    """Scan a remote-write 1.0 request; every sample becomes a row.

    Parameters
    ----------
    series : out, the value under the hash of each sample's labels, -1 on first sight
    bits : the same memory as `value`
    misses : out, (n, 4): start and end of the TimeSeries message, its first row and the row behind its last
    counts : out, how many samples, series, misses

    Returns
    -------
    int
        0, `GIVE_UP` or `TOO_SMALL`.
    """
    end = np.uint64(len(buf))
    at = np.uint64(0)
    rows = 0
    seen = 0
    missed = 0
    while at < end:
        tag, at = varint(buf, at, end)
        if at > end or tag >> np.uint64(3) == np.uint64(0):
            return GIVE_UP
        if tag != np.uint64(0x0A):
            if tag >> np.uint64(3) == np.uint64(1):
                return GIVE_UP
            at = skip(buf, at, end, tag & np.uint64(7))
            if at > end:
                return GIVE_UP
            continue
        length, at = varint(buf, at, end)
        if at > end or length > end - at:
            return GIVE_UP
        start, stop = at, at + length
        at = stop
        seen += 1
        low, high = seed[0], seed[1]
        first = rows
        # Labels stand together, as a rule: hashed as one stretch, with tags and lengths, they cost a third.
        labels_start, labels_end = start, start
        here = start
        while here < stop:
            begin = here
            tag, here = varint(buf, here, stop)
            if here > stop or tag >> np.uint64(3) == np.uint64(0):
                return GIVE_UP
            field, wire = tag >> np.uint64(3), tag & np.uint64(7)
            if field > np.uint64(2):
                here = skip(buf, here, stop, wire)
                if here > stop:
                    return GIVE_UP
                continue
            if wire != np.uint64(2):
                return GIVE_UP
            length, here = varint(buf, here, stop)
            if here > stop or length > stop - here:
                return GIVE_UP
            spot, here = here, here + length
            if field == np.uint64(1):
                if labels_end != begin:
                    low, high = _hash(buf, labels_start, labels_end, low, high)
                    labels_start = begin
                labels_end = here
                continue
            if rows >= len(series):
                return TOO_SMALL
            word = np.uint64(0)
            stamp = np.uint64(0)
            while spot < here:
                tag, spot = varint(buf, spot, here)
                if spot > here or tag >> np.uint64(3) == np.uint64(0):
                    return GIVE_UP
                field, wire = tag >> np.uint64(3), tag & np.uint64(7)
                if field == np.uint64(1):
                    if wire != np.uint64(1) or here - spot < np.uint64(8):
                        return GIVE_UP
                    word = fixed64(buf, spot)
                    spot += np.uint64(8)
                elif field == np.uint64(2):
                    if wire != np.uint64(0):
                        return GIVE_UP
                    stamp, spot = varint(buf, spot, here)
                    if spot > here:
                        return GIVE_UP
                else:
                    spot = skip(buf, spot, here, wire)
                    if spot > here:
                        return GIVE_UP
            time_ms[rows] = np.int64(stamp)
            bits[rows] = word
            rows += 1
        low, high = _hash(buf, labels_start, labels_end, low, high)
        number = find(keys, values, low, high)
        for row in range(first, rows):
            series[row] = number
        if number < 0:
            if missed >= len(misses):
                return TOO_SMALL
            misses[missed, 0] = np.int64(start)
            misses[missed, 1] = np.int64(stop)
            misses[missed, 2] = first
            misses[missed, 3] = rows
            miss_hashes[missed, 0] = low
            miss_hashes[missed, 1] = high
            missed += 1
    counts[0], counts[1], counts[2] = rows, seen, missed
    return 0
