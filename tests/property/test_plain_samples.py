"""A batch of native samples that is scanned at once becomes what its records become one by one."""

from __future__ import annotations

import json
import math
from itertools import permutations

import numpy as np
import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.catalog import Catalog
from streams.errors import DecodeError
from streams.wire.decoders import Decoders
from streams.wire.decoders.samples_fast import SampleScanner
from streams.wire.decoders.scan_samples import EXACT, NO_NUMBER, UNROUNDED, read_number
from streams.wire.record import RawRecord
from streams.wire.shown import shown
from streams.wire.telemetry import TelemetryBuilder

TOPIC = "headwater.metrics"
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
) | st.sampled_from(["01", "1.", ".5", "1e", "-", "-0", "-0.0", "1e999", "9007199254740993", "NaN", "+1"])
ODD = st.sampled_from([None, "", "x", 1, -1, 2**64 - 1, 1.5, True, "NaN", [], {}, {"a": "b"}, {"value": 1}])
NAMES = {
    '"service"': st.sampled_from(["cart", "shop/cart"]) | ODD,
    '"metric"': st.sampled_from(["cpu", "value", "ts_ms", 'a"b', "é"]) | ODD,
    '"timestamp"': st.sampled_from(["2026-09-21T14:13:20Z", "soon"]),
    **{f'"{name}"': ODD for name in ("instance", "peer", "unit", "version", "domain", "labels", "more")},
    '"kind"': st.sampled_from(["gauge", "counter", "delta"]) | ODD,
}
VALUES = NUMBERS | ODD.map(json.dumps)
TIMES = (
    st.sampled_from(["1790000000000", "1790000000001", "0", "017", "1.5", "1e3", "999999999999999"]) | VALUES
)
BLANKS = st.sampled_from(["", " ", "\t\r\n "])


@st.composite
def spelt_samples(draw: st.DrawFn) -> bytes:
    """A sample as some producer might spell it; now and then no JSON at all."""
    usual = [
        ('"service"', draw(st.sampled_from(['"cart"', '"shop"']))),
        ('"metric"', draw(st.sampled_from(['"cpu"', '"fan"']))),
        ('"value"', draw(VALUES)),
        ('"ts_ms"', draw(TIMES)),
    ]
    odd = draw(st.fixed_dictionaries({}, optional=NAMES))
    pairs = [*usual, *((name, json.dumps(value)) for name, value in odd.items())]
    if draw(st.booleans()):
        pairs.append(draw(st.sampled_from([('"value"', "7"), ('"ts_ms"', "7"), ('"val\\u0075e"', "7")])))
    blank = draw(BLANKS)
    fields = f"{blank},".join(f"{name}{blank}:{blank}{value}" for name, value in draw(st.permutations(pairs)))
    text = f"{{{fields}{blank}}}".encode()
    match draw(st.sampled_from(["", "", "", "list", "cut", "tail"])):
        case "list":
            return b"[" + text + b"]"
        case "cut":
            return text[: draw(st.integers(0, len(text)))]
        case "tail":
            return text + b"}"
    return text


def outcome(batches: list[list[bytes | None]], *, at_once: bool) -> tuple[list[str], object]:
    catalogs: dict[str, Catalog] = {}
    builder = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
    decoders, said = Decoders(), []

    def one(value: bytes | None) -> None:
        try:
            decoders.decode(RawRecord(TOPIC, 0, 0, None, value, (), 7), builder)
        except DecodeError as refused:
            said.append(str(refused))

    quick = decoders.quick(TOPIC)
    for batch in batches:
        if at_once:
            quick(batch, lambda index, batch=batch: one(batch[index]), builder)
        else:
            for value in batch:
                one(value)
    return said, shown(builder.take(), catalogs)


NAMED = '"service":"%s"', '"metric":"%s"'
IN_EACH_ORDER = [
    ("{" + ",".join(order) + "}").encode() for order in permutations([*NAMED, '"value":1', '"ts_ms":2'])
]
"""Names of a series before, between and behind its two numbers."""
PLAIN = b'{"service":"s","metric":"m","value":1,"ts_ms":2}'
NESTED = b'{"service":"s","metric":"m","labels":{"ts_ms":5},"value":1,"timestamp":"2026-09-21T14:13:20Z"}'


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(spelt_samples() | st.sampled_from([None, b"", b"\xff"]), max_size=8), max_size=3))
@example([[PLAIN] * 2, [PLAIN[:-10]] * 2])
@example([[PLAIN, PLAIN.replace(b"1", b"1e400"), PLAIN.replace(b"1", b"1" * 400)]])
@example([[NESTED]])
@example([[PLAIN.replace(b"}", b',"labels":{"value":5}}')]])
@example([[PLAIN.replace(b"}", b',"labels":{"ts_ms":5}}')]])
@example([[PLAIN.replace(b"}", b',"val\\u0075e":5}')]])
@example([[PLAIN.replace(b'"value":1', b'"\\"value":1,"val\\u0075e":5,"p\\"q":3')]])
def test_scanning_a_batch_changes_nothing(batches):
    """A spelling is known from its third sight on, so each batch comes three times."""
    thrice = [each for batch in batches for each in (batch, batch, batch)]
    assert outcome(thrice, at_once=True) == outcome(thrice, at_once=False)


@settings(max_examples=300, deadline=None)
@given(VALUES, TIMES)
@example("1", "017")
@example("01", "2")
@example("null", "2")
@example("1", "253402300800000")
def test_what_stands_for_a_number_in_a_known_spelling_is_read_as_the_parser_reads_it(value, time):
    spelt = b'{"service":"s","metric":"m","value":%s,"ts_ms":%s}'
    batches = [[PLAIN] * 2, [spelt % (value.encode(), time.encode())]]
    assert outcome(batches, at_once=True) == outcome(batches, at_once=False)


def test_series_are_told_apart_wherever_their_names_stand():
    for spelt in IN_EACH_ORDER:
        one, *others = (spelt % names for names in ((b"s", b"m"), (b"t", b"m"), (b"s", b"n")))
        for other in others:
            batches = [[one] * 3, [other, one], [other]]
            assert outcome(batches, at_once=True) == outcome(batches, at_once=False)


@settings(max_examples=500, deadline=None)
@given(NUMBERS)
@example("9007199254740993")
@example("0.1e23")
@example("123456789012345678901234567890")
def test_a_number_is_read_as_the_parser_reads_it(text):
    how, value, behind = read_number(np.frombuffer(text.encode(), dtype=np.uint8), 0, len(text))
    try:
        parsed = float(orjson.loads(text))
    except orjson.JSONDecodeError:
        assert how == NO_NUMBER or behind < len(text) or (how == UNROUNDED and math.isinf(float(text)))
        return
    assert behind == len(text)
    assert how in (EXACT, UNROUNDED)
    if how == EXACT:
        assert (value, math.copysign(1, value)) == (parsed, math.copysign(1, parsed))


def test_a_plain_sample_of_a_known_series_is_not_parsed():
    builder = TelemetryBuilder(lambda _: Catalog())
    values = [
        b'{"service":"s","metric":"m","value":%s,"ts_ms":%d,"labels":{"core":"1"}}' % each
        for each in ((b"1", 2), (b"-2.5e-3", 3), (b"0.30000000000000004", 4))
    ]
    decoders, parsed = Decoders(), []

    def one(index: int) -> None:
        parsed.append(index)
        decoders.decode(RawRecord(TOPIC, 0, 0, None, values[index]), builder)

    decoders.quick(TOPIC)(values, one, builder)
    assert parsed == [0]
    assert builder.cache(SampleScanner)._table.entries == 1
    samples = builder.take()["default"].samples
    assert samples.value.tolist() == [1.0, -0.0025, 0.30000000000000004]
    assert samples.ts_ms.tolist() == [2, 3, 4]


def test_what_differs_in_every_record_does_not_fill_the_memory():
    builder = TelemetryBuilder(lambda _: Catalog())
    decoders, parsed = Decoders(), []
    for batch in range(20):
        values = [
            b'{"service":"s","metric":"m","value":1,"ts_ms":2,"trace":"%d"}' % (1_000 * batch + record)
            for record in range(1_000)
        ]

        def one(index: int, values: list[bytes] = values) -> None:
            parsed.append(index)
            decoders.decode(RawRecord(TOPIC, 0, 0, None, values[index]), builder)

        decoders.quick(TOPIC)(values, one, builder)
    assert len(builder.take()["default"].samples) == 20_000
    assert len(parsed) == 1, "a series that is known by its words is asked for no more"
    assert builder.cache(SampleScanner)._table.entries < 2_000


def test_a_setting_for_the_topic_is_not_passed_by():
    assert Decoders({TOPIC: "prometheus_json"}).quick(TOPIC) is None
