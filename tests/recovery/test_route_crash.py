"""ROUTE is killed at each of its steps, and DETECT says what it says without it."""

from collections import Counter
from contextlib import ExitStack

from streams.stages.detect import DetectStage
from streams.stages.route import RouteStage, Step
from streams.wire.routed import stamp_of
from tests.integration.test_detect_units import all_promise
from tests.integration.test_route import METRICS, publish_round_robin, unkeyed
from tests.shop_on_kafka import running, sayings

__all__ = ["unkeyed"]


def test_kills_at_every_step_repeat_records_that_detect_passes_over(unkeyed, shop, crashes):
    wire = unkeyed(METRICS)
    publish_round_robin(wire, shop)
    for step in (Step.WRITTEN, Step.DELIVERED, Step.COMMITTED):  # READ changes nothing outside
        crashes.kill_at(wire.settings, "route", step, 1)
    end_ms = shop.end_ms // 15_000 * 15_000 - 30_000
    with ExitStack() as stages:
        stages.enter_context(running(RouteStage, wire.settings))
        stages.enter_context(running(DetectStage, wire.settings))
        found = wire.read("headwater.evidence", all_promise(["shop"], end_ms))
    through = unkeyed()
    through.publish(shop.records)
    with running(DetectStage, through.settings):
        expected = through.read("headwater.evidence", all_promise(["shop"], end_ms))

    stamps = Counter(stamp_of(message.headers()) for message in wire.everything(METRICS + ".routed"))
    assert len(stamps) == 3 * shop.steps
    assert max(stamps.values()) > 1, "nothing was repeated: the kills proved nothing"
    assert sayings(found) == sayings(expected)
