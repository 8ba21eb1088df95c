"""Dead letters: the original bytes untouched, and why they were refused, in headers."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from streams.errors import DecodeError
from streams.wire.codec import path
from streams.wire.messages import DeadLetter

PREFIX = "headwater-"
ATTEMPT = PREFIX + "attempt"
ROUTED = PREFIX + "routed"
"""Where a record stood before it was re-keyed; see `streams.wire.routed`."""


def encode_headers(
    letter: DeadLetter, original: Iterable[tuple[str, bytes | None]] = ()
) -> list[tuple[str, bytes | None]]:
    """Spell the letter as headers behind the original's own.

    A record that is dead-lettered again (after a replay) keeps only its newest reason.
    """
    original = list(original)
    kept = [(name, value) for name, value in original if not name.startswith(PREFIX) or name == ROUTED]
    own = [
        (PREFIX + name.replace("_", "-"), str(value).encode()) for name, value in letter.model_dump().items()
    ]
    return [*kept, *own]


def decode_headers(
    headers: Iterable[tuple[str, bytes | None]],
) -> tuple[DeadLetter, list[tuple[str, bytes | None]]]:
    """Part the headers of a dead letter into the reason and the original's own headers.

    Raises
    ------
    DecodeError
        A header of headwater's is missing or unreadable; `field` names it.
    """
    found: dict[str, str] = {}
    original: list[tuple[str, bytes | None]] = []
    for name, value in headers:
        if not name.startswith(PREFIX) or name == ROUTED:
            original.append((name, value))
            continue
        found[name.removeprefix(PREFIX).replace("-", "_")] = (value or b"").decode(errors="replace")
    try:
        return DeadLetter.model_validate(found), original
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        header = PREFIX + path(first["loc"]).replace("_", "-")
        raise DecodeError(f"not a dead letter: {first['msg']}", field=header) from None


def replay_headers(
    letter: DeadLetter, original: Iterable[tuple[str, bytes | None]]
) -> list[tuple[str, bytes | None]]:
    """Spell the headers under which the original is sent again: its own, and which attempt this is."""
    # Without the routing stamp: readers pass over stamps that they have seen.
    kept = [(name, value) for name, value in original if name != ROUTED]
    return [*kept, (ATTEMPT, str(letter.attempt + 1).encode())]


def attempt_of(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Read which attempt a record is; 1 unless it was replayed."""
    for name, value in headers:
        if name == ATTEMPT and value and value.isdigit():
            return int(value)
    return 1
