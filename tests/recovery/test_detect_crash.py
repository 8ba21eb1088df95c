"""DETECT is killed at each of its steps and says what an uninterrupted run says."""

import pytest

from streams.stages.correlate.checkpoint import Domain
from streams.stages.detect import Step
from streams.wire.codec import decode
from streams.wire.messages import EvidenceRecord
from tests.shop_on_kafka import evidence_until, sayings

NTH = 73
"""Of at least 81 batches: in the middle of the fault, with much delivered, saved and committed already."""
PLACES = [(step, NTH) for step in Step if step is not Step.AHEAD]
# A snapshot is four to five turns on its way: evidence, disk, pages, manifest. One of these finds it in each.
PLACES += [(Step.AHEAD, NTH - turn) for turn in range(5)]


def quick(settings):
    """A snapshot as soon as the last is written, and no silent topic to wait for."""
    changes = {
        "snapshot_interval_s": 0.001,
        "topics": ("headwater.metrics", "headwater.deploys", "headwater.topology"),
    }
    return settings.model_copy(update={"detect": settings.detect.model_copy(update=changes)})


def settled_incidents(messages, settle_ms):
    """What CORRELATE makes of an evidence log, with its repetitions."""
    from correlator.engine import Engine
    from correlator.evidence import Progress

    domain = Domain(Engine("shop"), 0)
    revisions = [
        each for message in messages for each in domain.apply(decode(EvidenceRecord, message.value()))
    ]
    end = Progress(domain="shop", source="detect-0", watermark_ms=settle_ms)
    revisions += domain.engine.apply(end)
    return {each.id: each for each in revisions if each.settled}


@pytest.mark.parametrize(
    ("step", "batch"), PLACES, ids=[f"{step.name.lower()}-{batch}" for step, batch in PLACES]
)
def test_a_kill_changes_nothing_that_is_said(step, batch, new_wire, shop, crashes, one_run):
    wire = new_wire()
    settings = quick(wire.settings)
    wire.publish(shop.records)
    crashes.kill_at(settings, "detect", step, batch, counted=Step.READ)
    with crashes.running(settings, "detect"):
        found = evidence_until(wire, shop.end_ms - 30_000)

    assert sayings(found) == sayings(one_run)
    settle_ms = shop.end_ms + 7_200_000
    assert settled_incidents(found, settle_ms) == settled_incidents(one_run, settle_ms) != {}
