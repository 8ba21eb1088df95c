"""Reading JSON that others wrote: every surprise is a `DecodeError` with the field's path."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any

import orjson

from streams.errors import DecodeError

MAX_TS_MS = 253_402_300_799_999
"""The last millisecond of the year 9999; anything later is a unit mistake, not a time."""


_MARK = b"\xef\xbb\xbf"
"""UTF-8's byte order mark, which some producers put before JSON and RFC 8259 lets a reader pass over."""
_BLANKS = b" \t\r\n"
_HEAD_BYTES = 16
"""How far the beginning of JSON is looked for."""


def parse(value: bytes) -> Any:
    """Parse JSON, with or without a byte order mark.

    Raises
    ------
    DecodeError
        Not JSON; says where it stops being.
    """
    try:
        return orjson.loads(value.removeprefix(_MARK))
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"not JSON: {error}") from None


def document_of(value: bytes) -> Any:
    """Return the object or list of JSON that a value holds, None if it does not begin like one.

    Raises
    ------
    DecodeError
        It does, and is broken.
    """
    if value[:1] in (b"{", b"["):
        return parse(value)
    head = value[:_HEAD_BYTES]
    bare = head.removeprefix(_MARK).lstrip(_BLANKS)
    if bare[:1] in (b"{", b"["):
        try:
            return orjson.loads(value[len(head) - len(bare) :])
        except orjson.JSONDecodeError:
            return None  # a line feed and a brace also open a protobuf message of 123 bytes
    return None


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Insist on an object; null and absent are an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DecodeError(f"expected an object, found {type(value).__name__}", field=where)
    return value


def sequence(value: Any, where: str) -> list[Any]:
    """Insist on a list; null and absent are an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise DecodeError(f"expected a list, found {type(value).__name__}", field=where)
    return value


def text(value: Any, where: str) -> str:
    """Insist on text."""
    if not isinstance(value, str):
        raise DecodeError(f"expected text, found {_kind(value)}", field=where)
    return value


def required_text(value: Any, where: str) -> str:
    """Insist on text that is not empty."""
    if not isinstance(value, str) or not value:
        raise DecodeError(
            "is missing" if value in (None, "") else f"expected text, found {_kind(value)}", field=where
        )
    return value


def optional_text(value: Any, where: str) -> str | None:
    """Text or None; empty text is None."""
    return None if value is None or value == "" else text(value, where)


def number(value: Any, where: str) -> float:
    """A number, also spelled as text (`"NaN"`, `"+Inf"`, `"12"`), as several producers do."""
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise DecodeError("number out of range", field=where) from None
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise DecodeError(f"expected a number, found {_kind(value)}", field=where)


def integer(value: Any, where: str) -> int:
    """A whole number, also spelled as text, as OTLP/JSON does for 64 bits; null and absent are 0."""
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    if isinstance(value, float) and isfinite(value) and value.is_integer():
        return int(value)
    raise DecodeError(f"expected a whole number, found {_kind(value)}", field=where)


def time_ms(value: Any, where: str) -> int:
    """Unix milliseconds from a number of milliseconds or RFC 3339 text.

    Raises
    ------
    DecodeError
        Neither, or outside the years 1970–9999.
    """
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise DecodeError(f"{value[:40]!r} is not an RFC 3339 time", field=where) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        try:
            # Whole milliseconds, cut off, without a detour through float seconds.
            delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
        except OverflowError:
            raise DecodeError("time out of range", field=where) from None
        stamp = (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
    else:
        if value is None:
            raise DecodeError("is missing", field=where)
        stamp = integer(value, where)
    if not 0 <= stamp <= MAX_TS_MS:
        raise DecodeError(f"{stamp} ms is outside the years 1970–9999; is it in another unit?", field=where)
    return stamp


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__
