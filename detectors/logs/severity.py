"""How bad a line says it is."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache


class Severity(IntEnum):
    """OpenTelemetry's severity ranges, folded to what detection needs."""

    ORDINARY = 0
    WARNING = 1
    ERROR = 2


_NAMES = {
    **dict.fromkeys(
        ("trace", "debug", "fine", "info", "information", "notice", "i", "d", "t"), Severity.ORDINARY
    ),
    **dict.fromkeys(("warn", "warning", "w"), Severity.WARNING),
    **dict.fromkeys(("error", "err", "severe", "e", "fatal", "critical", "crit", "f"), Severity.ERROR),
    **dict.fromkeys(("alert", "emerg", "emergency", "panic", "failure"), Severity.ERROR),
}
_LEVEL = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|SEVERE|PANIC)\b")
_WORDS = re.compile(
    r"\b(?:[\w.]*(?:Exception|Error)\b|Traceback|panic:|segfault|core dumped|fatal error|out of memory"
    r"|OOMKilled)"
)
_LEVELS = ("INFO", "WARN", "ERROR", "DEBUG", "TRACE", "NOTICE", "FATAL", "CRITICAL", "SEVERE", "PANIC")
_TELLING = (
    *("Exception", "Error", "Traceback", "panic:", "segfault", "core dumped", "fatal error"),
    *("out of memory", "OOMKilled"),
)
"""What the patterns cannot match without: looked for first, ten times as fast as trying each place."""
_WORD = 32
"""Characters of a word that may be remembered: what is kept must not grow with what producers write."""
_HEAD = 200
"""Characters in which a level or a tell-tale word is looked for: behind them begins the payload."""


def _named(word: str) -> Severity | None:
    return _NAMES.get(word.strip().lower().rstrip("0123456789"))


_remembered = lru_cache(maxsize=1024)(_named)
"""There are a handful of words, and each line has one."""


def severity_of(declared: str | None, body: str) -> Severity:
    """Take the producer's word; without one, look for a level, then for a tell-tale word, in the body.

    Examples
    --------
    >>> severity_of("WARN", ""), severity_of(None, "java.io.IOException: broken pipe")
    (<Severity.WARNING: 1>, <Severity.ERROR: 2>)
    """
    if declared:
        known = _remembered(declared) if len(declared) <= _WORD else _named(declared)
        if known is not None:
            return known
    head = body[:_HEAD]
    places = [head.find(word) for word in _LEVELS if word in head]
    level = _LEVEL.search(head, min(places)) if places else None
    if level:
        return _NAMES[level[1].lower()]
    telling = any(word in head for word in _TELLING) and _WORDS.search(head)
    return Severity.ERROR if telling else Severity.ORDINARY
