"""What must not leave the house: secrets and personal data in texts that quote production."""

from __future__ import annotations

import re

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")),
    ("token", re.compile(r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]{8,}")),
    (
        "secret",
        re.compile(r"(?i)\b(?:password|passwd|secret|token|api[_-]?key|authorization)\b\s*[=:]\s*\S+"),
    ),
    ("jwt", re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")),
    ("key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:sk|ghp|xox[abp])[-_][\w-]{16,}")),
    ("credentials", re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+@")),
    ("card", re.compile(r"\b(?:\d[ -]?){13,19}\b")),
    ("hex", re.compile(r"\b[0-9a-fA-F]{32,}\b")),
)
"""Order matters: the first that fits names what stood there. Ids of evidence are 20 hex digits at most."""


def redact(text: str) -> str:
    """Replace secrets and personal data by what they were.

    Examples
    --------
    >>> redact("login of ann@example.org failed: password=hunter2 on cart-7f9c an-0123456789abcdef0123")
    'login of [email] failed: [secret] on cart-7f9c an-0123456789abcdef0123'
    """
    for name, pattern in PATTERNS:
        text = pattern.sub(f"[{name}]", text)
    return text
