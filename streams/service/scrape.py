"""What the stages' own endpoints say, put together."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 2.0


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Return status and body of a stage's answer; status 0 when it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


class _Merged:
    """Families of several processes under one name each, told apart by the label `stage`."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        self._families: dict[str, Metric] = {}
        for stage, page in pages.items():
            for family in text_string_to_metric_families(page):
                kept = self._families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    kept.samples.append(sample._replace(labels={"stage": stage, **sample.labels}))

    def collect(self) -> Iterable[Metric]:
        return self._families.values()


def merged_metrics(ports: Mapping[str, int]) -> bytes:
    """Scrape every stage and return one exposition."""
    pages = {}
    for stage, port in ports.items():
        status, body = ask(port, "/metrics")
        if status == 200:
            pages[stage] = body.decode()
    registry = CollectorRegistry()
    registry.register(_Merged(pages))
    return generate_latest(registry)
