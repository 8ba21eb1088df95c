"""The broker is cut off in the middle of a fault and comes back; the service goes on by itself."""

import pytest

from streams.broker.apache import ApacheKafka
from streams.kafka import topics
from streams.service import Pipeline
from streams.wire.cloudevents import decode_alert
from tests.shop_on_kafka import Wire, evidence_until

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def own_kafka(is_apache):
    """A cluster that nobody else uses, for it is going to be killed."""
    if not is_apache:
        pytest.skip("the embedded broker keeps nothing over a restart: run with --kafka apache1")
    with ApacheKafka(nodes=1) as kafka:
        yield kafka


def test_a_broker_that_was_away_is_found_again_and_nothing_is_missing(own_kafka, fresh_settings, shop):
    settings = fresh_settings()
    kafka = settings.kafka.model_copy(
        update={"bootstrap_servers": own_kafka.bootstrap_servers, "replication_factor": 1}
    )
    settings = settings.model_copy(update={"kafka": kafka})
    topics.create(kafka)
    wire = Wire(settings)
    cut = len(shop.records) * 92 // 100
    wire.publish(shop.records[:cut])
    with Pipeline(settings) as pipeline:
        pipeline.wait_until_ready(120)
        evidence_until(wire, shop.end_ms - 80 * 15_000)

        own_kafka.kill()
        own_kafka.resume()

        wire.publish(shop.records[cut:])
        alerts = wire.read(
            "headwater.alerts",
            lambda found: decode_alert(found[-1].value()).root_cause is not None,
            timeout_s=180,
        )
        assert not pipeline.dead()

    assert decode_alert(alerts[-1].value()).root_cause.entity == "redis-cart"
