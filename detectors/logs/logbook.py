"""Counts of lines per service and tick: by severity, by template, and of what was never seen before.

A count of zero is a statement, made only while lines arrive from anywhere in the domain. When nothing
arrives, the transport is down or the recording has a hole, and silence says nothing about any service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from detectors.family import LINE_UNIT, LOG_LINES, MISSING
from detectors.logs.miner import Miner
from detectors.logs.missing import Missing
from detectors.logs.severity import Severity, severity_of
from detectors.telemetry import Kind, Series

LINES, ERRORS, WARNINGS = LOG_LINES, "log.error_lines", "log.warning_lines"
ERROR_SHARE, NOVEL = "log.error_share", "log.new_templates"

TRACK_AFTER = 10
"""Lines after which a template gets a series of its own; a rarer one shows in severity and novelty."""
TRACKED = 32
"""Templates with a series, per service, for ordinary ones and again for warnings and worse."""
WARM_TICKS = 60
"""Ticks with lines before "never seen before" means anything: a quarter of an hour of 15 s."""
NOVEL_MS = 600_000
"""How long a template is new. Two samples must agree, so it must outlast a slow interval or two."""
FORGET_MS = 3_600_000
"""A service that has been silent for so long among others that speak is gone."""
EXEMPLAR_CHARS = 400


Line = tuple[int, str, str, str, str]
"""Time in ms, service, body, severity, instance: sorts by time, then by what it says, so that order of
arrival cannot matter. A bare tuple: a named one takes three times as long to make and to sort."""


class Count(NamedTuple):
    """One sample of a log series, with a line that shows it."""

    series: Series
    value: float
    exemplar: str | None


@dataclass(slots=True)
class _Template:
    first_ms: int
    lines: int = 0
    severity: int = 0
    name: str | None = None
    """Name of its series: the template's text when it was tracked, kept when the template generalises."""


@dataclass(slots=True)
class _Service:
    miner: Miner = field(default_factory=Miner)
    templates: dict[int, _Template] = field(default_factory=dict)
    tracked: list[int] = field(default_factory=list)
    missing: Missing = field(default_factory=Missing)
    ticks: int = 0
    last_ms: int = 0


class LogBook:
    """Turns the lines of a tick into samples; one miner per service: none can crowd out another."""

    def __init__(self) -> None:
        self._services: dict[str, _Service] = {}

    def count(self, lines: Iterable[Line], end_ms: int) -> list[Count]:
        """Return the samples of one tick; `lines` in any order, all of that tick. Empty without lines."""
        by_service: dict[str, list[Line]] = {}
        for line in lines:
            by_service.setdefault(line[1], []).append(line)
        if not by_service:
            return []
        found: list[Count] = []
        for name in sorted({*self._services, *by_service}):
            service = self._services.setdefault(name, _Service())
            mine = by_service.get(name, [])
            if mine:
                service.last_ms = end_ms
                service.ticks += 1
            elif end_ms - service.last_ms > FORGET_MS:
                del self._services[name]
                continue
            mine.sort()
            found.extend(_count(name, service, mine, end_ms))
        return found

    def dump(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            name: {
                "miner": service.miner.dump(),
                "templates": [
                    [number, each.first_ms, each.lines, each.severity, each.name]
                    for number, each in service.templates.items()
                ],
                "tracked": service.tracked,
                "missing": service.missing.dump(),
                "ticks": service.ticks,
                "last_ms": service.last_ms,
            }
            for name, service in self._services.items()
        }

    @classmethod
    def load(cls, state: dict[str, Any]) -> LogBook:
        """Rebuild a book from `dump`."""
        book = cls()
        for name, each in state.items():
            book._services[name] = _Service(
                miner=Miner.load(each["miner"]),
                templates={number: _Template(*rest) for number, *rest in each["templates"]},
                tracked=each["tracked"],
                missing=Missing.restore(each.get("missing")),
                ticks=each["ticks"],
                last_ms=each["last_ms"],
            )
        return book


def _count(name: str, service: _Service, lines: list[Line], end_ms: int) -> Iterator[Count]:
    severities = [0, 0, 0]
    first: list[str | None] = [None, None, None]
    per_template: dict[int, int] = {}
    shown: dict[int, str] = {}
    novel, novelty = 0, None
    warm = service.ticks > WARM_TICKS
    full: set[bool] = set()
    numbers = service.miner.learn_each([line[2] for line in lines])
    for (_, _, body, declared, _), number in zip(lines, numbers, strict=True):
        severity = severity_of(declared, body)
        severities[severity] += 1
        first[severity] = first[severity] or body
        per_template[number] = per_template.get(number, 0) + 1
        if number not in shown:
            shown[number] = body
        template = service.templates.get(number)
        if template is None:
            # What was there before the service was warm is not new.
            template = service.templates[number] = _Template(end_ms if warm else end_ms - NOVEL_MS)
        template.lines += 1
        if severity > template.severity:
            template.severity = severity
            full.clear()  # it may have made room among the ordinary ones
        if severity and end_ms - template.first_ms < NOVEL_MS:
            novel += 1
            novelty = novelty or body
        if template.name is None and template.lines >= TRACK_AFTER:
            grave = template.severity >= Severity.WARNING
            if grave not in full and not _track(service, number, template, grave):
                full.add(grave)
    yield _sample(name, LINES, len(lines), None)
    yield _sample(name, ERRORS, severities[Severity.ERROR], first[Severity.ERROR])
    yield _sample(name, WARNINGS, severities[Severity.WARNING], first[Severity.WARNING])
    if lines:
        share = 100.0 * severities[Severity.ERROR] / len(lines)
        yield Count(Series(name, ERROR_SHARE, unit="%"), share, _short(first[Severity.ERROR]))
    if warm:
        yield _sample(name, NOVEL, novel, novelty)
    for number in service.tracked:
        metric = service.templates[number].name
        if metric is not None:
            yield _sample(name, metric, per_template.get(number, 0), shown.get(number))
    ordinary = [n for n in service.tracked if service.templates[n].severity < Severity.WARNING]
    for number, share in service.missing.take(per_template, ordinary, end_ms):
        yield Count(Series(name, f"{MISSING}{service.templates[number].name}", unit="%"), share, None)


def _track(service: _Service, number: int, template: _Template, grave: bool) -> bool:
    """Give a template a series, if there is room among those as grave."""
    others = sum((service.templates[n].severity >= Severity.WARNING) == grave for n in service.tracked)
    if others >= TRACKED:
        return False
    text = service.miner.text(number)
    taken = {service.templates[n].name for n in service.tracked}
    template.name = text if text not in taken else f"{text} #{number}"
    service.tracked.append(number)
    return True


def _sample(service: str, metric: str, value: int, exemplar: str | None) -> Count:
    return Count(Series(service, metric, unit=LINE_UNIT, kind=Kind.DELTA), float(value), _short(exemplar))


def _short(line: str | None) -> str | None:
    return line[:EXEMPLAR_CHARS] if line else None
