"""What brackets and quotes hide is cut out of a line of bytes, exactly as `mask.tokens` does it."""

from __future__ import annotations

import numpy as np

from detectors.compiled import compiled
from detectors.logs.letters import (
    BLANK,
    BRACKET,
    COLON,
    COMMA,
    DOUBLE,
    EQUALS,
    LESS,
    LETTER,
    LOWER,
    MORE,
    OPEN,
    OPEN_LIST,
    OPEN_MAP,
    SHUT,
    SHUT_LIST,
    SHUT_MAP,
    SINGLE,
    SPACE,
    STAR,
    WORD,
)

_HEADS = (b'msg="', b'message="', b'event="')
_LEVEL = b"level="


@compiled
def _mask(out: np.ndarray, at: int) -> int:
    out[at] = LESS
    out[at + 1] = STAR
    out[at + 2] = MORE
    return at + 3


@compiled
def _close_of(line: np.ndarray, size: int, at: int) -> tuple[int, bool]:
    """Return where an innermost bracket that opens at `at` closes, or -1; and whether it holds `=` or `,`."""
    kind = line[at]
    closing = SHUT if kind == OPEN else SHUT_LIST if kind == OPEN_LIST else SHUT_MAP
    data = False
    for k in range(at + 1, size):
        byte = line[k]
        if BRACKET[byte]:
            return (k, data) if byte == closing else (-1, data)
        data |= byte in (EQUALS, COMMA)
    return -1, data


@compiled
def without_payload(line: np.ndarray, size: int, out: np.ndarray) -> tuple[int, bool]:
    """Apply `mask._PAYLOAD` once."""
    i = 0
    n = 0
    found = False
    while i < size:
        byte = line[i]
        close = -1
        after_sign = i > 0 and (line[i - 1] == EQUALS or line[i - 1] == COLON)
        if byte in (OPEN, OPEN_LIST, OPEN_MAP):
            close, data = _close_of(line, size, i)
            if not (data or byte == OPEN_MAP or (byte == OPEN_LIST and after_sign)):
                close = -1
        elif after_sign and SPACE[byte] and i + 1 < size and line[i + 1] == OPEN_LIST:
            close, data = _close_of(line, size, i + 1)
        if close >= 0:
            n = _mask(out, n)
            i = close + 1
            found = True
        else:
            out[n] = byte
            n += 1
            i += 1
    return n, found


@compiled
def _begins(line: np.ndarray, size: int, at: int, what: bytes) -> bool:
    """Tell whether a word of these bytes begins here."""
    if at + len(what) > size or (at > 0 and WORD[line[at - 1]]):
        return False
    for k in range(len(what)):  # noqa: SIM110 - compiled code has no generators
        if line[at + k] != what[k]:
            return False
    return True


@compiled
def next_of(line: np.ndarray, size: int, at: int, byte: int) -> int:
    """Return where a byte stands next, from `at` on, or -1."""
    for k in range(at, size):
        if line[k] == byte:
            return k
    return -1


@compiled
def without_quotes(line: np.ndarray, size: int, out: np.ndarray) -> int:
    """Apply `mask._QUOTED`."""
    i = 0
    n = 0
    while i < size:
        byte = line[i]
        quote = -1
        if i == 0 and byte == DOUBLE:
            quote = 0
        elif byte == SHUT_LIST and i + 2 < size and line[i + 1] == BLANK and line[i + 2] == DOUBLE:
            quote = i + 2
        elif LOWER[byte]:
            for head in _HEADS:
                if _begins(line, size, i, head):
                    quote = i + len(head) - 1
        if quote >= 0:
            close = next_of(line, size, quote + 1, DOUBLE)
            blank = next_of(line, size, quote + 1, BLANK)
            if close >= 0 and 0 <= blank < close:
                for k in range(i, close):
                    if k < quote and line[k] == EQUALS:
                        out[n] = COLON
                        out[n + 1] = BLANK
                        n += 2
                    elif k != quote:
                        out[n] = line[k]
                        n += 1
                i = close + 1
                continue
        close = -1
        if byte in (DOUBLE, SINGLE):
            close = next_of(line, size, i + 1, byte)
            if byte == SINGLE and 0 <= next_of(line, size, i + 1, BLANK) < close:
                close = -1
        if close >= 0:
            n = _mask(out, n)
            i = close + 1
        else:
            out[n] = byte
            n += 1
            i += 1
    return n


@compiled
def keep_level(line: np.ndarray, size: int) -> None:
    """Apply `mask._WORDING`, in place."""
    for i in range(size - len(_LEVEL)):
        if line[i] == _LEVEL[0] and _begins(line, size, i, _LEVEL) and LETTER[line[i + len(_LEVEL)]]:
            line[i + len(_LEVEL) - 1] = COLON
