"""Choosing a decoder, all-or-nothing records, remote write, state."""

from __future__ import annotations

import cramjam
import orjson
import pytest

from detectors.catalog import Catalog
from detectors.telemetry import Kind, Series
from streams.errors import ConfigError, DecodeError
from streams.wire.decoders import Decoders
from streams.wire.decoders.remote_write_pb import WriteRequest
from streams.wire.record import RawRecord
from streams.wire.state import ANNOUNCE_EVERY_MS, DecoderState
from streams.wire.telemetry import TelemetryBuilder

T0 = 1_790_000_000_000
SAMPLE = {"service": "cart", "metric": "cpu", "value": 1.0, "ts_ms": T0}
STRUCTURED = (("Content-Type", b"application/cloudevents+json"),)


def record(value, topic="headwater.metrics", headers=()):
    if not isinstance(value, bytes | type(None)):
        value = orjson.dumps(value)
    return RawRecord(topic, 0, 0, None, value, headers, T0)


@pytest.fixture
def catalogs():
    return {}


@pytest.fixture
def builder(catalogs):
    return TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))


def test_the_topics_setting_wins_over_everything(builder):
    value = orjson.dumps({"resourceMetrics": []})
    chosen, _ = Decoders({"otlp_metrics": "native_logs"}).choose(record(value, "otlp_metrics", STRUCTURED))
    assert chosen.name == "native_logs"


@pytest.mark.parametrize(
    ("topic", "value", "headers", "expected"),
    [
        ("headwater.metrics", b"\x0a\x00", (("x-headwater-decoder", b"otlp_metrics"),), "otlp_metrics"),
        ("headwater.metrics", {"a": 1}, STRUCTURED, "cdevents"),
        ("headwater.metrics", {"a": 1}, (("ce_specversion", b"1.0"),), "cdevents"),
        ("headwater.metrics", {"resourceLogs": []}, (), "otlp_logs"),
        ("anything", {"resourceMetrics": []}, (), "otlp_metrics"),
        ("anything", {"resourceSpans": []}, (), "otlp_spans"),
        ("otlp_metrics", b"\x0a\x00", (), "otlp_metrics"),
        ("otlp_logs", b"\x0a\x00", (), "otlp_logs"),
        ("cdevents", {"context": {}, "subject": {}}, (), "cdevents"),
        ("headwater.logs", b"\x00\x00\x00\x00\x01{}", (), "native_logs"),
    ],
)
def test_the_order_of_choice(topic, value, headers, expected):
    chosen, _ = Decoders().choose(record(value, topic, headers))
    assert chosen.name == expected


def test_protobuf_is_never_guessed():
    with pytest.raises(DecodeError, match="'mystery' has no decoder"):
        Decoders().choose(record(b"\x0a\x00", "mystery"))


def test_a_header_that_names_no_decoder_is_poison():
    with pytest.raises(DecodeError, match="'xml'"):
        Decoders().choose(record({}, headers=(("x-headwater-decoder", b"xml"),)))


def test_a_setting_that_names_no_decoder_lists_those_that_there_are():
    with pytest.raises(
        ConfigError, match=r"topic 'orders': there is no decoder 'xml'; there are: otlp_metrics"
    ):
        Decoders({"orders": "xml"})


def test_poison_leaves_nothing_behind(builder, catalogs):
    decoders = Decoders()
    assert decoders.decode(record(SAMPLE), builder) == 1
    with pytest.raises(DecodeError):
        decoders.decode(record([SAMPLE, SAMPLE | {"domain": "new"}, SAMPLE | {"value": "x"}]), builder)
    with pytest.raises(DecodeError):
        decoders.decode(record([SAMPLE | {"body": "b"}, SAMPLE], "headwater.logs"), builder)
    taken = builder.take()
    assert list(taken) == ["default"]
    assert len(taken["default"].samples) == 1
    assert len(taken["default"].logs) == 0


def test_a_defect_in_a_decoder_is_poison_and_not_a_crash(builder, monkeypatch):
    decoders = Decoders()
    broken = decoders.table["native_logs"]
    monkeypatch.setitem(
        decoders._explicit,
        "x",
        type(broken)("broken", "", lambda _record, _into: 1 // 0),
    )
    with pytest.raises(DecodeError, match="decoder broken failed: ZeroDivisionError"):
        decoders.decode(record({}, "x"), builder)


@pytest.mark.parametrize("document", [SAMPLE, SAMPLE | {"value": "x"}, SAMPLE | {"ts_ms": None}, [SAMPLE]])
def test_the_short_cut_of_native_records_changes_nothing(catalogs, document):
    """A setting that names the default decoder leads around the short cut."""
    outcomes = []
    for decoders in (Decoders(), Decoders({"headwater.metrics": "native_metrics"})):
        into = TelemetryBuilder(lambda domain: catalogs.setdefault(domain, Catalog()))
        try:
            taken = decoders.decode(record(document), into)
        except DecodeError as error:
            outcomes.append((str(error), into.take()))
        else:
            outcomes.append((taken, into.take()["default"].samples.value.tolist()))
    assert outcomes[0] == outcomes[1]


def test_the_short_cut_does_not_swallow_other_shapes(builder):
    assert Decoders().choose(record({"resourceLogs": []}))[0].name == "otlp_logs"
    assert Decoders().decode(record({"resourceLogs": []}), builder) == 0


def test_a_tombstone_is_nothing(builder):
    assert Decoders().decode(record(None, "headwater.topology"), builder) == 0


def test_an_oversized_record_is_refused_unread(builder, monkeypatch):
    monkeypatch.setattr("streams.wire.decoders.table.MAX_BYTES", 10)
    with pytest.raises(DecodeError, match="11 bytes"):
        Decoders().decode(record(b"x" * 11), builder)


def test_taking_hands_over_once(builder):
    Decoders().decode(record(SAMPLE), builder)
    assert len(builder.take()["default"].samples) == 1
    assert builder.take() == {}


def test_series_numbers_are_the_detectors_own(builder, catalogs):
    catalogs["default"] = Catalog()
    catalogs["default"].intern(Series("other", "x"))
    Decoders().decode(record(SAMPLE), builder)
    assert builder.take()["default"].samples.series.tolist() == [1]
    assert catalogs["default"][1] == Series("cart", "cpu")


def remote_write(*series):
    request = WriteRequest()
    for labels, samples in series:
        one = request.timeseries.add()
        for name, value in labels.items():
            one.labels.add(name=name, value=value)
        for ts_ms, value in samples:
            one.samples.add(timestamp=ts_ms, value=value)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def test_remote_write_becomes_series_of_the_job(builder, catalogs):
    labels = {
        "__name__": "http_requests_total",
        "job": "shop/api",
        "instance": "i1",
        "env": "production",
        "code": "200",
    }
    value = remote_write(
        (labels, [(T0, 1.0), (T0 + 15_000, float("nan"))]), ({**labels, "__name__": "up"}, [(T0, 1.0)])
    )
    decoders = Decoders({"prom": "prometheus_remote_write"})
    assert decoders.decode(record(value, "prom"), builder) == 2
    assert [catalogs["production"][number] for number in (0, 1)] == [
        Series("shop/api", "http_requests_total", "i1", kind=Kind.COUNTER, labels="code=200"),
        Series("shop/api", "up", "i1", labels="code=200"),
    ]


def test_remote_write_buckets_become_quantiles_of_their_growth(builder, catalogs):
    decoders = Decoders({"prom": "prometheus_remote_write"})
    for step, totals in enumerate(([10, 10, 10], [30, 110, 110])):
        series = [
            ({"__name__": "d_bucket", "job": "api", "le": le}, [(T0 + step * 15_000, float(total))])
            for le, total in zip(("0.1", "0.5", "+Inf"), totals, strict=True)
        ]
        decoders.decode(record(remote_write(*series), "prom"), builder)
    samples = builder.take()["default"].samples
    found = {catalogs["default"][n].metric: v for n, v in zip(samples.series, samples.value, strict=True)}
    assert found == {"d.count": 100.0, "d.p50": pytest.approx(0.25), "d.p95": pytest.approx(0.475)}


@pytest.mark.parametrize(("unit", "p95_s"), [("", 0.095), ("ms", 0.095), ("s", 95.0)])
def test_an_old_clients_durations_are_in_the_unit_that_they_say(builder, catalogs, unit, p95_s):
    for step, count in enumerate((0, 10)):
        point = {
            "timeUnixNano": str((T0 + 15_000 * step) * 10**6),
            "count": count,
            "sum": 50 * count,
            "explicitBounds": [100],
            "bucketCounts": [count, 0],
            "attributes": [{"key": "net.peer.name", "value": {"stringValue": "auth"}}],
        }
        durations = {"aggregationTemporality": 2, "dataPoints": [point]}
        metric = {"name": "http.client.duration", "unit": unit, "histogram": durations}
        request = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
        Decoders().decode(record(request, "otlp_metrics"), builder)
    samples = builder.take()["default"].samples
    names = [catalogs["default"][number].metric for number in samples.series]
    assert samples.value[names.index("client_p95_s")] == pytest.approx(p95_s)


def test_remote_write_2_is_told_apart_from_an_empty_request(builder):
    # Field 4 (symbols) of io.prometheus.write.v2.Request, unknown to 1.0.
    value = bytes(cramjam.snappy.compress_raw(b"\x22\x08__name__"))
    with pytest.raises(DecodeError, match=r"remote write 2\.0"):
        Decoders({"prom": "prometheus_remote_write"}).decode(record(value, "prom"), builder)


def test_prometheus_descriptions_of_metrics_are_no_error(builder):
    """Once a minute it sends a request of nothing else: `WriteRequest.metadata`."""
    value = bytes(cramjam.snappy.compress_raw(b"\x1a\x0b\x08\x02\x12\x02up\x22\x03up?"))
    assert Decoders({"prom": "prometheus_remote_write"}).decode(record(value, "prom"), builder) == 0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"", "empty record"),
        (bytes(cramjam.snappy.compress(b"\x0a\x00")), "framing format"),
        (b"hello", "not a snappy block"),
        (bytes(cramjam.snappy.compress_raw(b"\x0a\x50abc")), "not a remote-write 1.0 request"),
        (remote_write(({"job": "api"}, [(T0, 1.0)])), "no __name__"),
    ],
    ids=["empty", "framed", "no snappy", "cut short", "nameless"],
)
def test_a_malformed_remote_write_says_what_is_wrong(builder, value, says):
    with pytest.raises(DecodeError, match=says):
        Decoders({"prom": "prometheus_remote_write"}).decode(record(value, "prom"), builder)


def test_a_snappy_bomb_is_not_unpacked(builder):
    claims_4_gb = b"\xff\xff\xff\xff\x0f" + b"\x00" * 20
    with pytest.raises(DecodeError):
        Decoders({"prom": "prometheus_remote_write"}).decode(record(claims_4_gb, "prom"), builder)


def test_state_survives_a_restart_in_the_middle():
    whole, before = DecoderState(), DecoderState()
    for state in (whole, before):
        state.exchange("h", [1, 2, [3.5]])
        state.should_announce("a→b", T0, 2 * T0)
        state.changed("v", "1", T0)
        state.meet("t", "callee", "auth")
    after = DecoderState.load(before.dump())
    for state in (whole, after):
        assert state.exchange("h", [0]) == [1, 2, [3.5]]
        assert not state.should_announce("a→b", T0 + ANNOUNCE_EVERY_MS - 1, 2 * T0)
        assert state.should_announce("a→b", T0 + ANNOUNCE_EVERY_MS, 2 * T0)
        assert state.changed("v", "2", T0 + 1) == "1"
        assert state.meet("t", "caller", "cart") == "auth"
    assert whole.dump() == after.dump()


@pytest.mark.parametrize("damaged", [b"", b"{}", b"[1,2]", b"[99,{},{},{},{}]", b"\xff"])
def test_a_damaged_state_is_refused(damaged):
    with pytest.raises(ValueError, match="decoder state"):
        DecoderState.load(damaged)


def test_state_is_bounded(monkeypatch):
    monkeypatch.setattr("streams.wire.state.MAX_CUMULATIVE", 3)
    state = DecoderState()
    for number in range(5):
        state.exchange(str(number % 4), [number])
    assert [state.peek(str(number)) for number in range(4)] == [[4], None, [2], [3]]
