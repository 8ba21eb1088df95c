"""What decoders remember between records: bounded, serialisable, part of a partition's snapshot."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import orjson

VERSION = 1
MAX_CUMULATIVE = 200_000
"""Cumulative points whose previous value is held; about 0.5 kB each with 15 buckets, so 100 MB at most."""
MAX_EDGES = 100_000
MAX_VALUES = 50_000
MAX_CALLS = 50_000
"""Client and server spans that wait for their other half; about 100 bytes each."""
ANNOUNCE_EVERY_MS = 300_000
"""An edge that keeps being used is announced again this often, so that readers know it lives."""
GONE_MS = 600_000
"""A version not seen for this long and then again is a new roll-out (a rollback), not a lingering pod."""
MAX_VALUES_EACH = 8


class DecoderState:
    """Bounded memories; the entry that was touched longest ago goes first.

    The same records in the same order leave the same state, however they were batched.
    """

    def __init__(self) -> None:
        self._cumulative: dict[str, list[Any]] = {}
        self._edges: dict[str, int] = {}
        self._values: dict[str, dict[str, int]] = {}
        self._calls: dict[str, str] = {}

    def exchange(self, key: str, entry: list[Any]) -> list[Any] | None:
        """Remember `entry` (plain JSON data) under `key`; returns what was there before."""
        previous = self._cumulative.pop(key, None)
        self._cumulative[key] = entry
        _bound(self._cumulative, MAX_CUMULATIVE)
        return previous

    def peek(self, key: str) -> list[Any] | None:
        """What `exchange` would return, without touching it."""
        return self._cumulative.get(key)

    def should_announce(self, edge: str, ts_ms: int, latest_ms: int) -> bool:
        """Tell whether an edge seen at `ts_ms` is news: on first sight and every five minutes."""
        last = self._edges.get(edge)
        lately = last is not None and ts_ms < last + ANNOUNCE_EVERY_MS
        if last is not None and lately and not was_wrong(last, ts_ms, latest_ms):
            return False
        self._edges.pop(edge, None)
        self._edges[edge] = ts_ms
        _bound(self._edges, MAX_EDGES)
        return True

    def changed(self, subject: str, value: str, ts_ms: int) -> str | None:
        """Tell that `subject` took on a `value` it did not have lately; returns the value before.

        Values overlap while instances roll over, so only a value that is new, or was gone for ten
        minutes, is a change. The first value ever seen is none.

        Examples
        --------
        >>> state = DecoderState()
        >>> [state.changed("cart", v, t * 60_000) for t, v in enumerate(["1", "1", "2", "1", "2"])]
        [None, None, '1', None, None]
        >>> state.changed("cart", "1", 3_600_000)
        '2'
        """
        known = self._values.pop(subject, None)
        if known is None:
            self._values[subject] = {value: ts_ms}
            _bound(self._values, MAX_VALUES)
            return None
        self._values[subject] = known
        last = known.get(value)
        newest = max(known, key=lambda each: known[each])
        known[value] = max(ts_ms, last if last is not None else ts_ms)
        if len(known) > MAX_VALUES_EACH:
            del known[min(known, key=lambda each: known[each])]
        if value == newest or (last is not None and ts_ms < last + GONE_MS):
            return None
        return newest

    def meet(self, call: str, role: Literal["caller", "callee"], service: str) -> str | None:
        """Match the two sides of a call, whichever comes first; returns the other side's service when met.

        Examples
        --------
        >>> state = DecoderState()
        >>> state.meet("t1", "callee", "auth"), state.meet("t1", "caller", "cart")
        (None, 'auth')
        """
        other = "callee" if role == "caller" else "caller"
        met = self._calls.pop(f"{other}\x1f{call}", None)
        if met is None:
            self._calls[f"{role}\x1f{call}"] = service
            _bound(self._calls, MAX_CALLS)
        return met

    def dump(self) -> bytes:
        """Serialise, versioned; `load(dump())` continues as if never stopped."""
        return orjson.dumps([VERSION, self._cumulative, self._edges, self._values, self._calls])

    @classmethod
    def load(cls, state: bytes) -> DecoderState:
        """Restore a state.

        Raises
        ------
        ValueError
            The bytes are damaged or of a version that this code cannot read.
        """
        try:
            version, cumulative, edges, values, calls = orjson.loads(state)
        except (orjson.JSONDecodeError, TypeError, ValueError) as error:
            raise ValueError(f"decoder state is damaged: {error}") from None
        if version != VERSION:
            raise ValueError(f"decoder state has version {version}, this code reads {VERSION}")
        found = cls()
        found._cumulative, found._edges, found._values, found._calls = cumulative, edges, values, calls
        return found


def was_wrong(before: int, at: int, latest: int) -> bool:
    """Whether what is remembered of `before` was a wrong clock's, and what comes with the time `at` is not.

    Else one point from the year 2100 would make all others late until then. All times have one unit.

    Examples
    --------
    >>> was_wrong(99, 9, 10), was_wrong(99, 98, 10), was_wrong(10, 9, 10)
    (True, False, False)
    """
    return at <= latest < before


def _bound(memory: dict[Any, Any], limit: int) -> None:
    if len(memory) > limit:
        oldest: Hashable = next(iter(memory))
        del memory[oldest]
