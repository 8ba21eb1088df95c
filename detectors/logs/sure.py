"""Words of bytes of which `mask.masked` is sure to leave a mask alone; it may do so with others."""

from __future__ import annotations

import numpy as np

from detectors.compiled import compiled
from detectors.logs.cut import next_of
from detectors.logs.letters import (
    AT,
    ATS,
    BACKSLASH,
    COLON,
    DIGIT,
    DIGITS,
    DOT,
    DOTS,
    EDGE,
    HEX,
    KEY,
    KINDS,
    LABEL,
    LARGE_X,
    LATER,
    LETTER,
    LOWER,
    MAIL,
    MINUS,
    NO_PATH,
    NUMBER,
    NUMERICS,
    PLUS,
    SLASH,
    SLASHES,
    SMALL_X,
    ZERO,
)


@compiled
def is_masked(line: np.ndarray, begin: int, end: int) -> bool:
    """Tell whether `mask.masked` is sure to return a mask for the whole word, which is not all letters."""
    while begin < end and EDGE[line[begin]]:
        begin += 1
    while begin < end and EDGE[line[end - 1]]:
        end -= 1
    if begin == end:
        return False
    every, some = kinds_of(line, begin, end)
    if every & NUMERICS:
        return True
    if some & DIGITS and _is_number(line, begin, end):
        return True
    if some & SLASHES and _is_path(line, begin, end):
        return True
    if some & DOTS and _is_host(line, begin, end):
        return True
    return bool(some & ATS) and _is_mail(line, begin, end)


@compiled
def kinds_of(line: np.ndarray, begin: int, end: int) -> tuple[int, int]:
    """Return the kinds that all bytes of a stretch are of, and those that some are of."""
    every, some = np.uint8(255), np.uint8(0)
    for k in range(begin, end):
        kinds = KINDS[line[k]]
        every &= kinds
        some |= kinds
    return int(every), int(some)


@compiled
def all_of(line: np.ndarray, begin: int, end: int, table: np.ndarray) -> bool:
    """Tell whether all bytes of a stretch are of a class."""
    for k in range(begin, end):  # noqa: SIM110 - compiled code has no generators
        if not table[line[k]]:
            return False
    return True


@compiled
def any_of(line: np.ndarray, begin: int, end: int, table: np.ndarray) -> bool:
    """Tell whether any byte of a stretch is of a class."""
    for k in range(begin, end):  # noqa: SIM110 - as above
        if table[line[k]]:
            return True
    return False


@compiled
def _is_number(line: np.ndarray, begin: int, end: int) -> bool:
    """Match `mask._WHOLE`."""
    if line[begin] == PLUS or line[begin] == MINUS:
        begin += 1
    size = end - begin
    if size >= 3 and line[begin] == ZERO and (line[begin + 1] == SMALL_X or line[begin + 1] == LARGE_X):
        return all_of(line, begin + 2, end, HEX)
    if size >= 6 and all_of(line, begin, end, HEX):
        return any_of(line, begin, end, DIGIT)
    if size >= 22 and line[begin + 8] == MINUS and all_of(line, begin, begin + 8, HEX):
        tail = True
        for k in range(begin + 9, end):
            tail &= HEX[line[k]] or line[k] == MINUS
        if tail:
            return True
    unit = end
    while unit > begin and end - unit < 5 and LETTER[line[unit - 1]]:
        unit -= 1
    first = begin
    while first < unit and not DIGIT[line[first]]:
        first += 1
    return first < unit and all_of(line, begin, first, NUMBER) and all_of(line, first, unit, LATER)


@compiled
def _is_path(line: np.ndarray, begin: int, end: int) -> bool:
    """Match `mask._PATH`."""
    k = begin
    while k < end and LETTER[line[k]]:
        k += 1
    rest = -1
    if line[begin] == SLASH or line[begin] == BACKSLASH:
        rest = begin + 1
    elif begin < k < end and line[k] == COLON:
        if k + 2 < end and line[k + 1] == SLASH and line[k + 2] == SLASH:
            rest = k + 3
        elif k == begin + 1 and k + 1 < end and (line[k + 1] == SLASH or line[k + 1] == BACKSLASH):
            rest = k + 2
    if rest >= 0 and not any_of(line, rest, end, NO_PATH):
        return True
    slashes = 0
    for k in range(begin, end):
        if line[k] == SLASH:
            slashes += 1
            if k == begin or line[k - 1] == SLASH:
                return False
        elif not KEY[line[k]]:
            return False
    return slashes >= 2


@compiled
def _is_host(line: np.ndarray, begin: int, end: int) -> bool:
    """Match the host of `mask._HOST`, with or without a port."""
    k = end
    while k > begin and DIGIT[line[k - 1]]:
        k -= 1
    if begin < k < end and line[k - 1] == COLON:
        end = k - 1
    dots = 0
    label = begin
    for k in range(begin, end):
        if line[k] == DOT:
            if k == label:
                return False
            dots += 1
            label = k + 1
        elif not LABEL[line[k]]:
            return False
    return dots >= 2 and end - label >= 2 and all_of(line, label, end, LOWER)


@compiled
def _is_mail(line: np.ndarray, begin: int, end: int) -> bool:
    at = next_of(line, end, begin, AT)
    return begin < at < end - 1 and all_of(line, begin, at, MAIL) and all_of(line, at + 1, end, KEY)
