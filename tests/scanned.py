"""Two ways of decoding one record, compared: what a scanner says, and what the library's walk says."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st

from detectors.catalog import Catalog
from streams.errors import DecodeError
from streams.wire.record import RawRecord
from streams.wire.shown import shown
from streams.wire.telemetry import TelemetryBuilder

STAMP_MS = 1_790_000_000_000
KEYS = st.sampled_from(
    ["service.name", "service.namespace", "service.version", "k8s.pod.name", "client", "server", "a", "é"]
)
TIMES = st.integers(STAMP_MS * 1_000_000, (STAMP_MS + 120_000) * 1_000_000) | st.sampled_from(
    [0, 1, 2**63 - 1, 2**63, 2**64 - 1]
)
DOUBLES = st.floats() | st.integers(-5, 5).map(float)


ANY_VALUE = st.one_of(
    st.fixed_dictionaries({"string_value": st.text(max_size=6)}),
    st.fixed_dictionaries({"int_value": st.integers(-(2**63), 2**63 - 1)}),
    st.fixed_dictionaries({"bool_value": st.booleans()}),
    st.fixed_dictionaries({"double_value": DOUBLES}),
    st.just({}),
)
ATTRIBUTES = st.lists(st.fixed_dictionaries({"key": KEYS, "value": ANY_VALUE}), max_size=4)


def requests_of(
    message: type[Message], levels: tuple[str, str, str], each: st.SearchStrategy[Any], most: int
) -> st.SearchStrategy[bytes]:
    """Requests of one signal, serialised: resources that hold scopes that hold what is drawn."""
    resources, scopes, things = levels
    scope = st.fixed_dictionaries({things: st.lists(each, max_size=most)})
    resource = st.fixed_dictionaries(
        {scopes: st.lists(scope, max_size=2)},
        optional={"resource": st.fixed_dictionaries({"attributes": ATTRIBUTES}), "schema_url": st.just("u")},
    )
    return st.lists(resource, max_size=3).map(
        lambda drawn: bytes(message(**{resources: drawn}).SerializeToString())
    )


Edits = list[tuple[int, int, str]]
EDITS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255), st.sampled_from("xid")), max_size=3)
"""Where, which byte, and whether it is replaced, inserted, or the record cut off there."""


def edited(value: bytes, edits: Edits) -> bytes:
    """Damage a record."""
    damaged = bytearray(value)
    for at, byte, how in edits:
        at = min(at, max(0, len(damaged) - 1))
        if how == "x" and damaged:
            damaged[at] = byte
        elif how == "i":
            damaged.insert(at, byte)
        elif how == "d" and damaged:
            del damaged[at:]
    return bytes(damaged)


class Decoded:
    """One builder and what it has come to, for comparing two ways of decoding."""

    def __init__(self, decode: Any) -> None:
        self.catalogs: dict[str, Catalog] = {}
        self.builder = TelemetryBuilder(lambda domain: self.catalogs.setdefault(domain, Catalog()))
        self._decode = decode

    def take(self, value: bytes) -> Any:
        record = RawRecord("otlp_metrics", 0, 0, None, value, (), STAMP_MS)
        marks = self.builder.marks()
        try:
            taken = self._decode(record, self.builder)
        except DecodeError as error:
            self.builder.undo(marks)
            return type(error)
        found = shown(self.builder.take(), self.catalogs)
        for parts in found.values():
            parts.get("samples", []).sort(key=repr)
        return taken, found


def assert_agree(requests: list[bytes], module: Any, *, exactly: bool = True) -> None:
    fast, walk = Decoded(module.decode), Decoded(module.decode_walking)
    for value in requests:
        expected, got = walk.take(value), fast.take(value)
        if not exactly and expected is DecodeError:
            # Damage in a field that nobody reads; from here on the two may know different streams.
            return
        assert got == expected
        assert fast.builder.state.dump() == walk.builder.state.dump()
