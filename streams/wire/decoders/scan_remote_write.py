"""Prometheus remote write 1.0, scanned: every sample becomes a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.wire.decoders.hashed import EMPTY, find, fold
from streams.wire.decoders.scan import BYTES, GIVE_UP, TOO_SMALL, compiled, fixed64, next_field, skip, varint


@compiled
def scan_remote_write(
    buf: NDArray[np.uint8],
    secret: NDArray[np.uint64],
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
        part, kind, start, at = next_field(buf, at, end)
        if part == 0 or (part == 1 and kind != BYTES):
            return GIVE_UP
        if part != 1:
            continue
        stop = at
        seen += 1
        low, high = EMPTY, EMPTY
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
                    low, high = fold(buf, labels_start, labels_end, low, high, secret)
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
        low, high = fold(buf, labels_start, labels_end, low, high, secret)
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
