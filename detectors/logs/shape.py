"""The shape of a line: a number that lines with the same masked words share, found without masking them.

Masking takes some twenty microseconds a line in Python, and most lines differ only in what would be masked.
So bytes are walked once, in machine code: what brackets and quotes hide is cut out exactly as `mask.tokens`
does it; words that are sure to be masked whole, values after `=`, and the digits of other words are replaced
by one of their kind; what remains is hashed. Two lines of one shape have the same `tokens`, so that answers
can be remembered by shape; a test holds it to that. The reverse is not promised, and not needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.compiled import compiled
from detectors.logs.cut import keep_level, without_payload, without_quotes
from detectors.logs.letters import (
    ALNUM,
    BACKSLASH,
    BLANK,
    COLON,
    DIGIT,
    DIGITS,
    DOUBLE,
    EQUALS,
    KEY,
    LARGE_X,
    LETTER,
    LETTERS,
    MIXTURE,
    NO_VALUE,
    ONE,
    OPEN,
    OPEN_LIST,
    OPEN_MAP,
    SIGNS,
    SINGLE,
    SLASH,
    SMALL_X,
    SPACE,
    VALUE,
    ZERO,
)
from detectors.logs.mask import MAX_CHARS, MAX_TOKENS, json_message
from detectors.logs.sure import any_of, is_masked, kinds_of

UNKNOWN = 0
"""Shape of lines that are not looked at: not ASCII, or longer than what `tokens` reads."""

_OFFSET, _PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)
"""FNV-1a, 64 bits: two of a million shapes agree by chance once in 10⁷ such sets."""


def shapes_of(lines: Sequence[str]) -> list[int]:
    """Return the shapes of lines, `UNKNOWN` where there is none; a microsecond or two a line."""
    said = [json_message(line) if line.startswith("{") else line for line in lines]
    plain = [line if line.isascii() and len(line) <= MAX_CHARS else "" for line in said]
    ends = np.cumsum(np.fromiter(map(len, plain), np.int64, len(plain)))
    shapes = np.zeros(len(plain), np.uint64)
    _shapes(np.frombuffer("".join(plain).encode("ascii"), np.uint8), ends, shapes)
    found: list[int] = shapes.tolist()
    return found


@compiled
def _shapes(text: np.ndarray, ends: np.ndarray, shapes: np.ndarray) -> None:
    # A mask is longer than the shortest bracket, and four rounds may each put in some.
    line = np.empty(8 * MAX_CHARS, np.uint8)
    spare = np.empty(8 * MAX_CHARS, np.uint8)
    begin = 0
    for i in range(len(ends)):
        size = ends[i] - begin
        quotes = False
        brackets = False
        signs = False
        for k in range(size):
            byte = text[begin + k]
            line[k] = byte
            quotes |= byte in (DOUBLE, SINGLE)
            brackets |= byte in (OPEN, OPEN_LIST, OPEN_MAP)
            signs |= byte == EQUALS
        begin = ends[i]
        if size == 0:
            continue
        for _ in range(4 if brackets else 0):
            after, found = without_payload(line, size, spare)
            if not found:
                break
            line, spare = spare, line
            size = after
        if quotes:
            size = without_quotes(line, size, spare)
            line, spare = spare, line
        if signs:
            keep_level(line, size)
        shapes[i] = _hashed(line, size)


@compiled
def _hashed(line: np.ndarray, size: int) -> np.uint64:
    shape = _OFFSET
    i = 0
    was_masked = False
    for _ in range(MAX_TOKENS):
        while i < size and SPACE[line[i]]:
            i += 1
        if i >= size:
            break
        begin = i
        while i < size and not SPACE[line[i]]:
            i += 1
        every, some = kinds_of(line, begin, i)
        masked = not every & LETTERS and is_masked(line, begin, i)
        if not masked:
            if some & (DIGITS | SIGNS):
                shape = _add_word(shape, line, begin, i)
            else:
                for k in range(begin, i):
                    shape = _add(shape, line[k])
        elif not was_masked:
            shape = _add(shape, ONE)
        if not (masked and was_masked):
            shape = _add(shape, BLANK)
        was_masked = masked
    return max(shape, np.uint64(1))


@compiled
def _add(shape: np.uint64, byte: int) -> np.uint64:
    return (shape ^ np.uint64(byte)) * _PRIME


@compiled
def _add_word(shape: np.uint64, line: np.ndarray, begin: int, end: int) -> np.uint64:
    """Add a word, with one sign for each value and for digits that stand apart from letters."""
    key = False
    i = begin
    while i < end:
        byte = line[i]
        if byte == EQUALS and key and i + 1 < end and not NO_VALUE[line[i + 1]]:
            shape = _add(shape, EQUALS)
            i += 1
            value = i
            while i < end and not NO_VALUE[line[i]]:
                i += 1
            # Whether a word has digits decides what else is done to it.
            shape = _add(shape, ONE if any_of(line, value, i, DIGIT) else VALUE)
            key = False
            continue
        if ALNUM[byte] and (i == begin or not ALNUM[line[i - 1]]):
            # `mask._MIXED`: letters and digits that take turns are an id, whichever they are.
            last, turns = _run_of(line, i, end)
            # Before a path the letters next to it are its scheme.
            scheme = last + 1 < end and line[last] == COLON and (line[last + 1] in (SLASH, BACKSLASH))
            if turns >= 2 and last - i >= 6 and not scheme:
                for k in range(len(MIXTURE)):
                    shape = _add(shape, MIXTURE[k])
                i = last
                key = True
                continue
        if not DIGIT[byte]:
            key = (key or LETTER[byte] or byte == 95) if KEY[byte] else False
            shape = _add(shape, byte)
            i += 1
            continue
        first = i
        while i < end and DIGIT[line[i]]:
            i += 1
        apart = (first == begin or not LETTER[line[first - 1]]) and (i == end or not LETTER[line[i]])
        for k in range(first, first + 1 if apart else i):
            # Of all digits only the 0 of 0x means something to a mask.
            hexadecimal = line[k] == ZERO and k + 1 < end
            hexadecimal = hexadecimal and (line[k + 1] == SMALL_X or line[k + 1] == LARGE_X)
            shape = _add(shape, ZERO if hexadecimal else ONE)
    return shape


@compiled
def _run_of(line: np.ndarray, begin: int, end: int) -> tuple[int, int]:
    """Return where a run of letters and digits ends, and how often a letter follows a digit in it."""
    turns = 0
    i = begin
    while i < end and ALNUM[line[i]]:
        turns += i > begin and LETTER[line[i]] and DIGIT[line[i - 1]]
        i += 1
    return i, turns
