"""Plain native samples scanned in place: one JSON object a record, known but for its number and its time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.wire.decoders import hashed
from streams.wire.decoders.reading import MAX_TS_MS
from streams.wire.decoders.scan import compiled

UNKNOWN = -1
"""Plain, and of a series that nobody has looked up yet."""
ODD = -2
"""Not plain: the parser decides."""
NO_NUMBER, EXACT, UNROUNDED = 0, 1, 2
MAX_PLAIN_BYTES = 4_096
"""A plain sample has some hundred; how large a record may be at all is not decided here."""
_EXACT_MANTISSA = 1 << 53
_POWERS = np.array([10.0**power for power in range(23)])
"""Up to here powers of ten are doubles, so that one multiplication or division rounds once, as the parser
does (W. D. Clinger, How to read floating point numbers accurately, 1990)."""
_MAX_DIGITS = 19
"""More may not fit into 64 bits."""
_QUOTE, _BACKSLASH, _COLON, _MINUS, _PLUS, _POINT, _ZERO = (ord(each) for each in '"\\:-+.0')
_NEITHER, _VALUE, _TIME = 0, 1, 2


@compiled
def _is_digit(buf: NDArray[np.uint8], at: int, end: int) -> bool:
    return at < end and bool(np.uint8(buf[at] - np.uint8(_ZERO)) < np.uint8(10))


@compiled
def read_number(buf: NDArray[np.uint8], at: int, end: int) -> tuple[int, float, int]:
    """Read a JSON number: how it went, its value if `EXACT`, and the position behind it."""
    negative = at < end and buf[at] == _MINUS
    if negative:
        at += 1
    if not _is_digit(buf, at, end):
        return NO_NUMBER, 0.0, at
    mantissa, digits, power = np.uint64(0), 0, 0
    if buf[at] == _ZERO:
        at += 1  # and no other digit: what follows is then not what was parsed
    else:
        while _is_digit(buf, at, end):
            mantissa = mantissa * np.uint64(10) + np.uint64(buf[at] - np.uint8(_ZERO))
            digits += 1
            at += 1
    whole = True
    if at < end and buf[at] == _POINT:
        whole = False
        at += 1
        if not _is_digit(buf, at, end):
            return NO_NUMBER, 0.0, at
        while _is_digit(buf, at, end):
            mantissa = mantissa * np.uint64(10) + np.uint64(buf[at] - np.uint8(_ZERO))
            digits += 1 if mantissa else 0
            power -= 1
            at += 1
    if at < end and (buf[at] | np.uint8(0x20)) == ord("e"):
        whole = False
        at += 1
        sign = 1
        if at < end and (buf[at] == _PLUS or buf[at] == _MINUS):
            sign = -1 if buf[at] == _MINUS else 1
            at += 1
        if not _is_digit(buf, at, end):
            return NO_NUMBER, 0.0, at
        exponent = 0
        while _is_digit(buf, at, end):
            exponent = min(10_000, exponent * 10 + int(buf[at]) - _ZERO)
            at += 1
        power += sign * exponent
    if digits > _MAX_DIGITS or mantissa > np.uint64(_EXACT_MANTISSA) or abs(power) >= len(_POWERS):
        return UNROUNDED, 0.0, at
    value = np.float64(mantissa)
    value = value / _POWERS[-power] if power < 0 else value * _POWERS[power]
    # A whole -0 is the integer 0.
    return EXACT, -value if negative and not (whole and mantissa == 0) else value, at


@compiled
def _read_time(buf: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Read a whole number of milliseconds and the position behind it; -1 if it is none."""
    if not _is_digit(buf, at, end) or (buf[at] == _ZERO and _is_digit(buf, at + 1, end)):
        return -1, at
    ts_ms = 0
    while _is_digit(buf, at, end):
        ts_ms = ts_ms * 10 + (int(buf[at]) - _ZERO)
        if ts_ms > MAX_TS_MS:
            return -1, at
        at += 1
    return ts_ms, at


@compiled
def _behind_blanks(buf: NDArray[np.uint8], at: int, end: int) -> int:
    while at < end and (buf[at] == 0x20 or buf[at] == 0x09 or buf[at] == 0x0A or buf[at] == 0x0D):
        at += 1
    return at


@compiled
def _key(buf: NDArray[np.uint8], at: int) -> int:
    """Which of the two the five bytes at a place spell."""
    if buf[at] == ord("v"):
        found = buf[at + 1] == ord("a") and buf[at + 2] == ord("l")
        return _VALUE if found and buf[at + 3] == ord("u") and buf[at + 4] == ord("e") else _NEITHER
    if buf[at] == ord("t"):
        found = buf[at + 1] == ord("s") and buf[at + 2] == ord("_")
        return _TIME if found and buf[at + 3] == ord("m") and buf[at + 4] == ord("s") else _NEITHER
    return _NEITHER


@compiled
def scan_samples(
    buf: NDArray[np.uint8],
    ends: NDArray[np.int64],
    secret: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    numbers: NDArray[np.int64],
    series: NDArray[np.int64],
    ts_ms: NDArray[np.int64],
    value: NDArray[np.float64],
    hashes: NDArray[np.uint64],
    unrounded: NDArray[np.int64],
) -> int:
    """Scan records that lie one behind the other; returns how many numbers are left to be rounded.

    A plain record has one `"value": <number>`, one `"ts_ms": <whole number>` and no backslash. All its other
    bytes are hashed, as they are: what was parsed once under the same hash has the same structure, so these
    two are its sample.

    Parameters
    ----------
    ends : int64[n]
        Where each record ends.
    keys, numbers
        The table of known hashes.
    series, ts_ms, value, hashes : outputs, n rows
        `series` is the table's value, `UNKNOWN` or `ODD`.
    unrounded : int64[n, 3], output
        Record, start and end of numbers with more digits than can be converted here; their `value` is 0.
    """
    left, end = 0, 0
    for record in range(len(ends)):
        start, end = end, ends[record]
        series[record] = ODD
        if end - start > MAX_PLAIN_BYTES:
            continue
        low, high = hashed.EMPTY, hashed.EMPTY
        at, hashed_to = start, start
        values, times, rounded = 0, 0, EXACT
        number_start, number_end = 0, 0
        plain = True
        while plain and at < end:
            byte = buf[at]
            at += 1
            if byte != _QUOTE:
                continue
            begin = at
            while at < end and buf[at] != _QUOTE and buf[at] != _BACKSLASH:
                at += 1
            if at == end or buf[at] == _BACKSLASH:
                plain = False
                break
            length = at - begin
            at += 1
            key = _key(buf, begin) if length == 5 else _NEITHER
            if key == _NEITHER:
                continue
            number_at = _behind_blanks(buf, at, end)
            if number_at == end or buf[number_at] != _COLON:
                continue
            number_at = _behind_blanks(buf, number_at + 1, end)
            if key == _VALUE:
                rounded, value[record], at = read_number(buf, number_at, end)
                number_start, number_end = number_at, at
                values += 1
                plain = rounded != NO_NUMBER and values == 1
            else:
                ts_ms[record], at = _read_time(buf, number_at, end)
                times += 1
                plain = ts_ms[record] >= 0 and times == 1
            low, high = hashed.fold(buf, np.uint64(hashed_to), np.uint64(number_at), low, high, secret)
            hashed_to = at
        if not plain or values != 1 or times != 1:
            continue
        low, high = hashed.fold(buf, np.uint64(hashed_to), np.uint64(end), low, high, secret)
        series[record] = hashed.find(keys, numbers, low, high)
        hashes[record, 0], hashes[record, 1] = low, high
        if rounded == UNROUNDED:
            unrounded[left, 0], unrounded[left, 1], unrounded[left, 2] = record, number_start, number_end
            left += 1
    return left
