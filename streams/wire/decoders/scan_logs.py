"""OTLP log records found in place: where each line's text, severity and time stand in the bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.wire.decoders.scan import BYTES, GIVE_UP, TOO_SMALL, compiled, fixed64, next_field, skip, varint

LINE_COLUMNS = 7
"""Time in ns, severity's start, end and number, body's start and end, and one of the following."""
PLAIN, UNICODE, OTHER = 0, 1, 2
"""A line of ASCII; one with other characters; a record for the library, which stands where the body would."""
RESOURCE_COLUMNS = 3
"""Start, end, and the first row behind its lines."""


@compiled
def _is_ascii(buf: NDArray[np.uint8], start: np.uint64, end: np.uint64) -> bool:
    found = np.uint8(0)
    for at in range(start, end):
        found |= buf[at]
    return bool(found < np.uint8(0x80))


@compiled
def _begins(
    buf: NDArray[np.uint8],
    start: np.uint64,
    end: np.uint64,
    heads: NDArray[np.uint8],
    sizes: NDArray[np.int64],
) -> bool:
    """Whether a key has one of the prefixes; row n of `heads` holds `sizes[n]` bytes of one."""
    for row in range(len(sizes)):
        size = np.uint64(sizes[row])
        if end - start >= size:
            same = True
            for i in range(sizes[row]):
                if buf[start + np.uint64(i)] != heads[row, i]:
                    same = False
                    break
            if same:
                return True
    return False


@compiled
def _is_scalar(buf: NDArray[np.uint8], at: np.uint64, end: np.uint64) -> bool:
    """Whether a value is well-formed and holds no further messages."""
    while at < end:
        tag, at = varint(buf, at, end)
        field = tag >> np.uint64(3)
        if at > end or field == np.uint64(0) or field == np.uint64(5) or field == np.uint64(6):
            return False
        at = skip(buf, at, end, tag & np.uint64(7))
    return bool(at == end)


@compiled
def _is_idle(
    buf: NDArray[np.uint8], at: np.uint64, end: np.uint64, heads: NDArray[np.uint8], sizes: NDArray[np.int64]
) -> bool:
    """Whether an attribute is well-formed and of no interest: another key, a plain value."""
    while at < end:
        tag, at = varint(buf, at, end)
        if at > end or tag >> np.uint64(3) == np.uint64(0):
            return False
        if tag != np.uint64(0x0A) and tag != np.uint64(0x12):
            at = skip(buf, at, end, tag & np.uint64(7))
            continue
        length, at = varint(buf, at, end)
        if at > end or length > end - at:
            return False
        if tag == np.uint64(0x0A):
            if _begins(buf, at, at + length, heads, sizes):
                return False
        elif not _is_scalar(buf, at, at + length):
            return False
        at += length
    return bool(at == end)


@compiled
def scan_logs(
    buf: NDArray[np.uint8],
    heads: NDArray[np.uint8],
    sizes: NDArray[np.int64],
    lines: NDArray[np.int64],
    resources: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """Scan an OTLP logs request; every log record becomes a row, in order.

    Parameters
    ----------
    heads, sizes : prefixes of the attributes that make a record more than a line, and their lengths
    lines, resources : out, see `LINE_COLUMNS` and `RESOURCE_COLUMNS`
    counts : out, how many lines and resources

    Returns
    -------
    int
        0, `GIVE_UP` or `TOO_SMALL`.
    """
    end = np.uint64(len(buf))
    at = np.uint64(0)
    rows = 0
    found = 0
    while at < end:
        part, kind, here, at = next_field(buf, at, end)
        if part == 0 or (part == 1 and kind != BYTES):
            return GIVE_UP
        if part != 1:
            continue
        holder_end = at
        if found >= len(resources):
            return TOO_SMALL
        resource_start, resource_end = np.uint64(0), np.uint64(0)
        seen = 0
        while here < holder_end:
            part, kind, inner, here = next_field(buf, here, holder_end)
            if part == 0 or (part <= 2 and kind != BYTES):
                return GIVE_UP
            if part == 1:
                resource_start, resource_end = inner, here
                seen += 1
            if part != 2:
                continue
            scope_end = here
            while inner < scope_end:
                part, kind, start, inner = next_field(buf, inner, scope_end)
                if part == 0 or (part == 2 and kind != BYTES):
                    return GIVE_UP
                if part != 2:
                    continue
                stop = inner
                if rows >= len(lines):
                    return TOO_SMALL

                stamp, observed, number = np.uint64(0), np.uint64(0), np.uint64(0)
                severity_start, severity_end = np.uint64(0), np.uint64(0)
                body_start, body_end = np.uint64(0), np.uint64(0)
                bodies = 0
                plain = True
                spot = start
                while spot < stop:
                    tag, spot = varint(buf, spot, stop)
                    field, wire = tag >> np.uint64(3), tag & np.uint64(7)
                    if spot > stop or field == np.uint64(0):
                        return GIVE_UP
                    if field == np.uint64(1) or field == np.uint64(11):
                        if wire != np.uint64(1) or stop - spot < np.uint64(8):
                            return GIVE_UP
                        word = fixed64(buf, spot)
                        spot += np.uint64(8)
                        if field == np.uint64(1):
                            stamp = word
                        else:
                            observed = word
                    elif field == np.uint64(2):
                        if wire != np.uint64(0):
                            return GIVE_UP
                        number, spot = varint(buf, spot, stop)
                        # An enumeration has 32 bits: what is cut off, or negative, is the library's to say.
                        if spot > stop or number > np.uint64(0x7FFFFFFF):
                            return GIVE_UP
                    elif (
                        field == np.uint64(3)
                        or field == np.uint64(5)
                        or field == np.uint64(6)
                        or field == np.uint64(12)
                    ):
                        if wire != np.uint64(2):
                            return GIVE_UP
                        length, spot = varint(buf, spot, stop)
                        if spot > stop or length > stop - spot:
                            return GIVE_UP
                        if field == np.uint64(3):
                            severity_start, severity_end = spot, spot + length
                        elif field == np.uint64(5):
                            body_start, body_end = spot, spot + length
                            bodies += 1
                        elif field == np.uint64(6):
                            plain = plain and _is_idle(buf, spot, spot + length, heads, sizes)
                        else:
                            plain = plain and length == np.uint64(0)
                        spot += length
                    else:
                        spot = skip(buf, spot, stop, wire)
                        if spot > stop:
                            return GIVE_UP
                if stamp == np.uint64(0):
                    stamp = observed
                if stamp > np.uint64(0x7FFFFFFFFFFFFFFF):
                    return GIVE_UP
                # A plain body is one string that fills its value.
                plain = plain and bodies == 1
                if plain and body_start < body_end:
                    tag, body_start = varint(buf, body_start, body_end)
                    length = np.uint64(0)
                    if body_start < body_end:
                        length, body_start = varint(buf, body_start, body_end)
                    plain = bool(
                        tag == np.uint64(0x0A)
                        and length > np.uint64(0)
                        and body_start <= body_end
                        and length == body_end - body_start
                    )
                else:
                    plain = False
                lines[rows, 0] = np.int64(stamp)
                lines[rows, 1] = np.int64(severity_start)
                lines[rows, 2] = np.int64(severity_end)
                lines[rows, 3] = np.int64(number)
                if plain:
                    ascii_only = _is_ascii(buf, body_start, body_end) and _is_ascii(
                        buf, severity_start, severity_end
                    )
                    lines[rows, 4] = np.int64(body_start)
                    lines[rows, 5] = np.int64(body_end)
                    lines[rows, 6] = PLAIN if ascii_only else UNICODE
                else:
                    lines[rows, 4] = np.int64(start)
                    lines[rows, 5] = np.int64(stop)
                    lines[rows, 6] = OTHER
                rows += 1
        if seen > 1:
            return GIVE_UP
        resources[found, 0] = np.int64(resource_start)
        resources[found, 1] = np.int64(resource_end)
        resources[found, 2] = rows
        found += 1
    counts[0], counts[1] = rows, found
    return 0
