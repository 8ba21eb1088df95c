"""Classes of ASCII bytes, as tables for compiled code; as `mask` has them in its patterns."""

from __future__ import annotations

import numpy as np


def _class_of(characters: str) -> np.ndarray:
    table = np.zeros(256, np.bool_)
    table[[ord(each) for each in characters]] = True
    return table


LOWER = _class_of("abcdefghijklmnopqrstuvwxyz")
LETTER = LOWER | _class_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
DIGIT = _class_of("0123456789")
HEX = DIGIT | _class_of("abcdefABCDEF")
WORD = LETTER | DIGIT | _class_of("_")
SPACE = _class_of("\t\n\v\f\r\x1c\x1d\x1e\x1f ")
BRACKET = _class_of("()[]{}")
EDGE = _class_of("()[]{}<>,;:.\"'!?")
NUMERIC = DIGIT | _class_of(".,:/_+-%TZ")
NUMBER = DIGIT | _class_of(".,:/_T+%-")
LATER = NUMBER | _class_of("Z")
ALNUM = LETTER | DIGIT
NO_PATH = _class_of(",;\"'()[]") | SPACE
NO_VALUE = _class_of(",;)]}&")
KEY = WORD | _class_of(".-")
LABEL = LETTER | DIGIT | _class_of("-")
MAIL = WORD | _class_of(".+-")

LETTERS, NUMERICS, DIGITS, SLASHES, DOTS, ATS, SIGNS = (1 << k for k in range(7))
"""Bits of `KINDS`: one look at a byte tells all that a word is asked for."""
KINDS = np.zeros(256, np.uint8)
for _kind, _of in (
    *((LETTERS, LETTER), (NUMERICS, NUMERIC), (DIGITS, DIGIT), (SLASHES, _class_of("/\\"))),
    *((DOTS, _class_of(".")), (ATS, _class_of("@")), (SIGNS, _class_of("="))),
):
    KINDS[_of] |= _kind

OPEN, SHUT, OPEN_LIST, SHUT_LIST, OPEN_MAP, SHUT_MAP = b"()[]{}"
EQUALS, COMMA, COLON, BLANK, DOT, AT, SLASH, BACKSLASH = b"=,: .@/\\"
DOUBLE, SINGLE, LESS, STAR, MORE, ZERO, ONE, PLUS, MINUS = b"\"'<*>01+-"
SMALL_X, LARGE_X, VALUE = b"xXv"
MIXTURE = b"x1x1x1"
