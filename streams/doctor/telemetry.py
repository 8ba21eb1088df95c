"""Judging what the newest records say: keys, identities, times, and whether anybody says who calls whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.doctor.finding import Finding
from streams.doctor.sample import Sample
from streams.settings import Settings

STALE_S = 900
"""Scrape and export intervals are below five minutes; three of them without a record are silence."""
NAMED = 3
"""Services named in a finding; the rest is counted."""
PAGE = "docs/inputs.md"


def of_topic(sample: Sample, settings: Settings, now_ms: int) -> Iterator[Finding]:
    """Judge one raw topic."""
    topic = settings.kafka.topic(sample.topic)
    if not sample.records:
        yield Finding("note", topic, "is empty")
        return
    yield from _keys(sample, topic, settings)
    if sample.rejected:
        (reason, _), (partition, offset) = sample.rejected.most_common(1)[0], sample.rejected_at
        yield Finding(
            "warning",
            topic,
            f"{sample.rejected.total()} of {sample.records} records cannot be read: {reason[:200]}",
            f"see `headwater decode --topic {sample.topic} --partition {partition} "
            f"--offset {offset}`; HEADWATER_DETECT__DECODERS names another decoder",
        )
    if unnamed := sample.unnamed():
        yield Finding(
            "warning",
            topic,
            f"{unnamed} series do not say which service they are of",
            "set service.name on the resource (OTEL_SERVICE_NAME), or `job` with Prometheus",
        )
    if clashing := sample.clashing():
        yield Finding(
            "warning",
            topic,
            f"series have two values for one time ({_some(clashing)}): several producers share an identity",
            f"give each a service.instance.id on its resource ({PAGE}); till then their values are mixed",
        )
    ahead_s = (sample.newest_event_ms - now_ms) / 1000
    if ahead_s > settings.detect.max_future_s:
        yield Finding(
            "warning",
            topic,
            f"event times are {ahead_s:.0f} s ahead of our clock; they are clamped",
            "mend the producer's clock, or ours",
        )
    behind_s = (now_ms - sample.newest_ms) / 1000
    if sample.samples + sample.lines and behind_s > STALE_S:
        yield Finding(
            "warning",
            topic,
            f"the newest record is {behind_s / 60:.0f} min old",
            "is the collector's exporter still running?",
        )


def _keys(sample: Sample, topic: str, settings: Settings) -> Iterator[Finding]:
    if sample.topic in settings.route.topics or not (sample.samples or sample.lines):
        return
    torn, spread = sample.torn_series(), sample.spread_services()
    how = f"{sample.records - sample.keyed} of {sample.records} records have no key"
    if sample.mixed:
        how += f", {sample.mixed} hold several services"
    if torn:
        yield Finding(
            "fault",
            topic,
            f"the same series is read by several of {sample.units} units ({_some(torn)}): {how}",
            f"add {sample.topic} to HEADWATER_ROUTE__TOPICS everywhere and run `headwater run --stage "
            f"route`, or key records by service ({PAGE}), or set kafka.detect_partitions to 1",
        )
    elif spread:
        yield Finding(
            "warning",
            topic,
            f"instances of one service are read by different units ({_some(spread)}): {how}",
            "they are not compared with one another; route or key the topic by service "
            f"({PAGE}), or leave it",
        )
    elif sample.units == 1 and sample.keyed < sample.records:
        yield Finding("ok", topic, f"{how}; one unit reads all partitions, so none is needed")
    else:
        yield Finding("ok", topic, f"{sample.records} records looked at, {sample.keyed} of them keyed")


def of_all(samples: Sequence[Sample], settings: Settings) -> Iterator[Finding]:
    """Judge what only all topics together can say."""
    heard = sum(each.samples + each.lines for each in samples)
    if not heard:
        yield Finding(
            "fault",
            "telemetry",
            "no metric sample and no log line on any topic",
            f"point a collector's kafka exporter here ({PAGE}), or try `headwater replay`",
        )
        return
    domains = set().union(*(each.domains() for each in samples))
    if domains == {settings.detect.default_domain}:
        yield Finding(
            "note",
            "domain",
            f"everything is in the domain {settings.detect.default_domain!r}",
            "set deployment.environment.name where several environments share a topic",
        )
    series = [series for each in samples for _, series in each.series()]
    if not any(each.items["edge"] for each in samples) and not any(each.peer for each in series):
        yield Finding(
            "warning",
            "topology",
            "nobody says who calls whom: no service graph, client metric, span or declared edge was seen",
            "without edges causes are ranked by time alone: add the servicegraph connector or otlp_spans "
            f"({PAGE}), or `headwater topology import`",
        )
    if not any(each.items["change"] for each in samples) and not any(each.version for each in series):
        yield Finding(
            "note",
            "changes",
            "neither a deploy nor a service.version was seen",
            "set service.version, or send CDEvents: a change that is not told cannot be found",
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
