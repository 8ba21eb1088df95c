"""What varies from line to line is masked before lines are compared: numbers, ids, addresses, paths, values.

One configuration for all formats. The work is done once per distinct word and remembered: log lines repeat
their words far more often than themselves.
"""

from __future__ import annotations

import json
import re

ANY = "<*>"
MAX_TOKENS = 48
"""Words of a line that are looked at; templates differ early, payloads late."""
MAX_CHARS = 1024
MAX_WORDS = 100_000
"""Remembered words, about 20 MB; beyond it the memory is emptied, which costs time and changes nothing."""

MAX_LAYOUTS = 1000
"""Sets of keys of JSON lines that are remembered; a speed matter only."""

_PAYLOAD = re.compile(
    r"\([^()\[\]{}]*[=,][^()\[\]{}]*\)|\[[^()\[\]{}]*[=,][^()\[\]{}]*\]|\{[^()\[\]{}]*\}|(?<=[=:])\s?\[[^()\[\]{}]*\]"
)
"""An innermost bracket that holds a list or key=value pairs: data, not words."""
_QUOTED = re.compile(r"((?:^|\] |\bmsg=|\bmessage=|\bevent=))\"([^\"]* [^\"]*)\"|\"[^\"]*\"|'[^' ]*'")
"""Quoted text is a value, but for a sentence where a message stands: at the head, or after its key."""
_WORDING = re.compile(r"\b(level)=([A-Za-z]+)")
_MESSAGE_KEYS = ("msg", "message", "event", "log", "body", "textPayload", "@m", "short_message")
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
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(r"\d+(?:\.\d+)*")
_NUMERIC = "0123456789.,:/_+-%TZ"
_EDGE = "()[]{}<>,;:.\"'!?"
_RUN = re.compile(r"(?:<\*>[-_:./,#@]*){2,}")


def tokens(line: str) -> tuple[str, ...]:
    """Return a line's words, masked, with runs of masks as one.

    Examples
    --------
    >>> tokens("Connection from 10.0.0.7:5123 closed after 3.2 ms (id=7f, user=bo)")
    ('Connection', 'from', '<*>', 'closed', 'after', '<*>', 'ms', '<*>')
    """
    line = line[:MAX_CHARS] if not line.startswith("{") else json_message(line)
    if "[" in line or "{" in line or "(" in line:
        for _ in range(4):
            line, found = _PAYLOAD.subn(ANY, line)
            if not found:
                break
    if '"' in line or "'" in line:
        line = _QUOTED.sub(_unquoted, line)
    if "level=" in line:
        line = _WORDING.sub(r"\1:\2", line)
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


def _unquoted(found: re.Match[str]) -> str:
    if found[1] is None:
        return ANY
    return found[1].replace("=", ": ") + found[2]


def json_message(line: str) -> str:
    """Return what a JSON line says and which keys it has; their values are data."""
    try:
        document, end = _decoder.raw_decode(line)
    except ValueError:
        return line[:MAX_CHARS]
    if end < len(line) and line[end:].strip(" \t\r\n"):
        return line[:MAX_CHARS]
    named = tuple(document)
    known = _layouts.get(named)
    if known is None:
        if len(_layouts) >= MAX_LAYOUTS:
            _layouts.clear()
        messages = [key for key in _MESSAGE_KEYS if key in document]
        known = _layouts[named] = messages, " ".join(sorted(set(named).difference(messages)))
    messages, keys = known
    said = next((document[key] for key in messages if isinstance(document[key], str)), "")
    return f"{said} {keys}"[:MAX_CHARS]


_decoder = json.JSONDecoder()
_layouts: dict[tuple[str, ...], tuple[list[str], str]] = {}
"""By the keys of a document: which of them may hold its message, and what is said of the others."""


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
    if not core.strip(_NUMERIC):
        return ANY if core else raw
    digits = _DIGIT.search(core) is not None
    slash = "/" in core or "\\" in core
    if (
        (digits and _WHOLE.fullmatch(core))
        or (slash and _PATH.fullmatch(core))
        or (("." in core or "@" in core) and _HOST.fullmatch(core))
    ):
        return ANY
    word = raw
    if "=" in word:
        word = _KEY_VALUE.sub(rf"\1={ANY}", word)
    if slash:
        word = _PATH.sub(ANY, word)
    if digits:
        word = _DIGITS.sub(ANY, _MIXED.sub(ANY, word)).replace("-" + ANY, ANY)
    if ANY in word:
        word = _RUN.sub(ANY, word)
        if word.strip(_EDGE + "-+*#/") == "":
            return ANY
    return word
