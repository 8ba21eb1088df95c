"""What varies from line to line is masked before lines are compared: numbers, ids, addresses, paths, values.

One configuration for all formats. The work is done once per distinct word and remembered: log lines repeat
their words far more often than themselves.
"""

from __future__ import annotations

import re

ANY = "<*>"
MAX_TOKENS = 48
"""Words of a line that are looked at; templates differ early, payloads late."""
MAX_CHARS = 1024
MAX_WORDS = 100_000
"""Remembered words, about 20 MB; beyond it the memory is emptied, which costs time and changes nothing."""

_PAYLOAD = re.compile(
    r"\([^()\[\]{}]*[=,][^()\[\]{}]*\)|\[[^()\[\]{}]*[=,][^()\[\]{}]*\]|\{[^()\[\]{}]*\}|(?<==)\[[^()\[\]{}]*\]"
)
"""An innermost bracket that holds a list or key=value pairs: data, not words."""
_QUOTED = re.compile(r"\"[^\"]*\"|'[^' ]*'")
_KEY_VALUE = re.compile(r"([A-Za-z_][\w.-]*)=[^,;)\]}&]+")
_WHOLE = re.compile(
    r"""[+-]?(?:
      0[xX][0-9a-fA-F]+                               # hexadecimal
    | [0-9a-fA-F]{8}-[0-9a-fA-F-]{13,}                # UUID
    | (?=[0-9a-fA-F]*\d)[0-9a-fA-F]{6,}               # digest
    | [\d.,:/_T+%-]*\d[\d.,:/_T+%Z-]*(?:[a-zA-Zµ]{1,5})?   # number, date, time, address, quantity with unit
    )""",
    re.VERBOSE,
)
_PATH = re.compile(r"(?:[A-Za-z]+://|(?:[A-Za-z]:)?[/\\])[^\s,;\"'()\[\]]*|(?:[\w.-]+/){2,}[\w.-]*")
_HOST = re.compile(r"(?:[a-zA-Z0-9-]+\.){2,}[a-z]{2,}(?::\d+)?(?![\w.])|[\w.+-]+@[\w.-]+")
_MIXED = re.compile(r"(?=(?:[A-Za-z]*\d+[A-Za-z]+){2})[A-Za-z0-9]{6,}")
_DIGITS = re.compile(r"\d+(?:\.\d+)*")
_EDGE = "()[]{}<>,;:.\"'!?"
_RUN = re.compile(r"(?:<\*>[-_:./,#@]*){2,}")


def tokens(line: str) -> tuple[str, ...]:
    """Return a line's words, masked, with runs of masks as one.

    Examples
    --------
    >>> tokens("Connection from 10.0.0.7:5123 closed after 3.2 ms (id=7f, user=bo)")
    ('Connection', 'from', '<*>', 'closed', 'after', '<*>', 'ms', '<*>')
    """
    line = line[:MAX_CHARS]
    if "[" in line or "{" in line or "(" in line:
        for _ in range(4):
            line, found = _PAYLOAD.subn(ANY, line)
            if not found:
                break
    if '"' in line or "'" in line:
        line = _QUOTED.sub(ANY, line)
    words: list[str] = []
    before = ""
    for raw in line.split(None, MAX_TOKENS)[:MAX_TOKENS]:
        word = _words.get(raw)
        if word is None:
            word = _remember(raw)
        if word == ANY and before == ANY:
            continue
        words.append(word)
        before = word
    return tuple(words)


_words: dict[str, str] = {}


def _remember(raw: str) -> str:
    if len(_words) >= MAX_WORDS:
        _words.clear()
    word = _words[raw] = masked(raw)
    return word


def masked(raw: str) -> str:
    """Mask one word.

    Examples
    --------
    >>> [masked(w) for w in ("blk_-16089", "user=root,", "/var/log/x.log:", "f.m.BasicImpl#119", "(12ms)")]
    ['blk_<*>', 'user=<*>,', '<*>', 'f.m.BasicImpl#<*>', '<*>']
    """
    if raw.isalpha():
        return raw
    core = raw.strip(_EDGE)
    if not core:
        return raw
    if _WHOLE.fullmatch(core) or _PATH.fullmatch(core) or _HOST.fullmatch(core):
        return ANY
    word = raw
    if "=" in word:
        word = _KEY_VALUE.sub(rf"\1={ANY}", word)
    if "/" in word or "\\" in word:
        word = _PATH.sub(ANY, word)
    if any(c.isdigit() for c in word):
        word = _MIXED.sub(ANY, word)
        word = _DIGITS.sub(ANY, word)
        word = word.replace("-" + ANY, ANY)
    if ANY in word:
        word = _RUN.sub(ANY, word)
        if word.strip(_EDGE + "-+*#/") == "":
            return ANY
    return word
