"""The broker of the tests: embedded by default; Apache Kafka or one of yours on request."""

from __future__ import annotations

import itertools
import signal
import uuid
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Message
from hypothesis import settings as hypothesis_settings

from correlator.evidence import Progress
from streams import settings as settings_module
from streams.broker import Broker, EmbeddedBroker, ExternalBroker
from streams.kafka import topics
from streams.settings import KafkaSettings, Settings
from streams.wire.codec import encode
from streams.wire.messages import EvidenceRecord
from tests.shop_on_kafka import Shop, Wire, evidence_until, running


def pytest_configure() -> None:
    # A shell ignores Ctrl-C for what it runs in the background, and children inherit that; tests that
    # interrupt a command would wait for ever.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)


# The same examples on every run: a change is judged by what it changes. Fuzzing at random is `make long`.
hypothesis_settings.register_profile("same", derandomize=True, database=None)
hypothesis_settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        choices=["embedded", "apache1", "apache3"],
        default=None,
        help="Broker of the tests: embedded (default), or Apache Kafka with one or three nodes.",
    )


@pytest.fixture(scope="session")
def configured() -> KafkaSettings:
    """What the environment says of the broker of the tests."""
    return settings_module.load().kafka


@pytest.fixture(autouse=True)
def _a_test_says_its_own_settings(configured: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What names the broker of the tests must not get before the files that a test writes."""
    for field in configured.model_fields_set:
        monkeypatch.delenv(f"HEADWATER_KAFKA__{field.upper()}", raising=False)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, configured: KafkaSettings) -> Iterator[Broker]:
    """The session's broker. `HEADWATER_KAFKA__BOOTSTRAP_SERVERS` names one of yours."""
    choice = request.config.getoption("--kafka")
    default = KafkaSettings.model_fields["bootstrap_servers"].default
    chosen: Broker
    if choice in ("apache1", "apache3"):
        from streams.broker.apache import ApacheKafka

        chosen = ApacheKafka(nodes=int(choice[-1]))
    elif choice is None and configured.bootstrap_servers != default:
        chosen = ExternalBroker(configured.bootstrap_servers)
    else:
        chosen = EmbeddedBroker()
    with chosen:
        yield chosen


@pytest.fixture(scope="session")
def is_apache(request: pytest.FixtureRequest, configured: KafkaSettings) -> bool:
    """Whether this run is about Apache Kafka rather than about the embedded broker."""
    choice = request.config.getoption("--kafka")
    default = KafkaSettings.model_fields["bootstrap_servers"].default
    return choice in ("apache1", "apache3") or (choice is None and configured.bootstrap_servers != default)


_run_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def fresh_settings(
    broker: Broker, configured: KafkaSettings, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Settings]:
    """Makes settings with topics, groups and state of their own, and waits short enough for a test."""

    def make() -> Settings:
        own = f"t{next(_run_numbers)}-{uuid.uuid4().hex[:6]}"
        return Settings.model_validate(
            {
                "kafka": {
                    "bootstrap_servers": broker.bootstrap_servers,
                    "topic_prefix": own + ".",
                    "group_prefix": own,
                    "session_timeout_s": 2.0,
                    "replication_factor": getattr(broker, "nodes", configured.replication_factor),
                },
                "detect": {"idle_s": 1.0, "snapshot_interval_s": 1.0},
                "serve": {"port": 0},
                "state_dir": tmp_path_factory.mktemp("state") / own,
            }
        )

    return make


@pytest.fixture
def kafka_settings(fresh_settings: Callable[[], Settings]) -> Settings:
    """Settings of one test."""
    return fresh_settings()


@pytest.fixture(scope="session")
def new_wire(fresh_settings: Callable[[], Settings]) -> Callable[[], Wire]:
    """Makes topics of their own, for tests that compare two runs."""

    def make() -> Wire:
        settings = fresh_settings()
        topics.create(settings.kafka)
        return Wire(settings)

    return make


@pytest.fixture
def wire(new_wire: Callable[[], Wire]) -> Wire:
    """Topics of one test, and a client for them."""
    return new_wire()


@pytest.fixture(scope="session")
def shop() -> Shop:
    """Two hours of a calm shop, then a fault."""
    return Shop()


@pytest.fixture(scope="session")
def one_run(new_wire: Callable[[], Wire], shop: Shop) -> tuple[Message, ...]:
    """What DETECT says of the shop when nothing interrupts it: run once, for all tests that compare."""
    from streams.stages.detect import DetectStage  # not for tests that need no broker: it takes a second

    wire = new_wire()
    wire.publish(shop.records)
    with running(DetectStage, wire.settings):
        return tuple(evidence_until(wire, shop.end_ms - 30_000))


@pytest.fixture(scope="session")
def evidence(one_run: tuple[Message, ...], shop: Shop) -> list[tuple[str, str, bytes]]:
    """The evidence log of the shop's fault, up to a promise that settles everything."""
    end = Progress(domain=shop.domain, source="detect-0", watermark_ms=shop.end_ms + 7_200_000)
    last = EvidenceRecord(domain=end.domain, source=end.source, tick_ms=end.watermark_ms, items=(end,))
    values = [*(message.value() or b"" for message in one_run), encode(last)]
    return [("headwater.evidence", shop.domain, value) for value in values]
