"""What must not leave the house: secrets and personal data in texts that quote production."""

from __future__ import annotations

import re

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{0,190}\w")),
    ("token", re.compile(r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]{8,}")),
    (
        "secret",
        # Also at the end of a name (DB_PASSWORD=…), within one (client_secret_id), and quoted as in JSON.
        re.compile(
            r"(?i)(?:password|passwd|passphrase|pwd|secret|token|credential|authorization"
            r"|(?:api|access|private|account)[_-]?key)[\w-]{0,40}[\"']?\s{0,3}(?:=>?|:)\s{0,3}"
            r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}]+)"
        ),
    ),
    ("private key", re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END[A-Z -]*|$)")),
    ("jwt", re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")),
    ("key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:sk|ghp|xox[abp])[-_][\w-]{16,}")),
    ("credentials", re.compile(r"(?<=://)[^/@\s:]{0,200}:[^/@\s]{1,200}@")),
    ("card", re.compile(r"\b(?:\d[ -]?){13,19}\b")),
    ("hex", re.compile(r"\b[0-9a-fA-F]{32,}\b")),
)
"""Order matters: the first that fits names what stood there. Ids of evidence are 20 hex digits at most.
Repetitions that may begin anywhere are bounded, so that no line of log costs the square of its length."""


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
