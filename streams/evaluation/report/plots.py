"""The three pictures: is a stated confidence true, is it useful, and what happened when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streams.evaluation.figures import BINS
from streams.evaluation.matching import Fate
from streams.evaluation.report.svg import COLOURS, Plot

Opening = Mapping[str, Any]
FATE_COLOURS = {
    "right": "#1a7f37",
    "wrong": "#d1242f",
    str(Fate.FALSE): "#8250df",
    str(Fate.IGNORED): "#8c959f",
}
FIFTHS = [(i / 5, f"{i / 5:.1f}") for i in range(6)]


def risk_coverage(openings: Iterable[Opening], system_of: Mapping[str, str]) -> str:
    """The share of wrong roots among the surest incidents, as ever less sure ones are let in.

    El-Yaniv and Wiener, JMLR 11 (2010). An abstention is never let in: the curve ends before 1 by as many.
    """
    plot = Plot(
        "risk against coverage", (0, 1), (0, 1), x_label="share of incidents let in", y_label="share wrong"
    )
    plot.ticks(FIFTHS, FIFTHS)
    entries = []
    for number, (system, mine) in enumerate(_by_system(openings, system_of)):
        colour = COLOURS[number % len(COLOURS)]
        answered = sorted(
            (o for o in mine if not o["abstained"]), key=lambda o: (-o["confidence"], o["incident_id"])
        )
        wrong, points = 0, []
        for count, opening in enumerate(answered, start=1):
            wrong += not opening["right"]
            # Equal confidences are let in together: their order means nothing.
            if count == len(answered) or answered[count]["confidence"] != opening["confidence"]:
                points.append((count / len(mine), wrong / count))
        if points:
            plot.line(points, colour)
            for x, y in points[:: max(1, len(points) // 12)]:
                plot.dot(x, y, colour, 2.5, f"{system}: {x:.0%} let in, {y:.0%} wrong")
        entries.append((f"{system} ({len(mine)})", colour))
    plot.legend(entries)
    return plot.svg()


def reliability_diagram(openings: Iterable[Opening], system_of: Mapping[str, str]) -> str:
    """Share of right roots in each tenth of stated confidence; on the diagonal a confidence is true."""
    plot = Plot("reliability", (0, 1), (0, 1), x_label="stated confidence", y_label="share right")
    plot.ticks(FIFTHS, FIFTHS)
    plot.line([(0, 0), (1, 1)], "#8c959f", dashed=True)
    entries = []
    for number, (system, mine) in enumerate(_by_system(openings, system_of)):
        colour = COLOURS[number % len(COLOURS)]
        bins: list[list[Opening]] = [[] for _ in range(BINS)]
        for opening in mine:
            bins[min(BINS - 1, int(opening["confidence"] * BINS))].append(opening)
        for members in filter(None, bins):
            stated = sum(o["confidence"] for o in members) / len(members)
            right = sum(o["right"] for o in members) / len(members)
            radius = 2.5 + min(9.0, len(members) ** 0.5)
            plot.dot(
                stated, right, colour, radius, f"{system}: {len(members)} at {stated:.2f}, {right:.0%} right"
            )
        entries.append((f"{system} ({len(mine)})", colour))
    plot.legend(entries)
    return plot.svg()


def timeline(name: str, cases: Sequence[Mapping[str, Any]], openings: Sequence[Opening]) -> str:
    """One line a fault: when it began, when an incident opened, whom it named; strays at the foot."""
    times = [case["start_ms"] for case in cases] + [opening["opened_ms"] for opening in openings]
    first, last = min(times), max(times)
    pad = max(300_000.0, (last - first) * 0.03)
    rows = len(cases) + 1
    plot = Plot(
        name,
        (first - pad, last + 2 * pad),
        (-0.5, rows - 0.5),
        width=940,
        height=80 + 17 * rows,
        x_label="UTC",
    )
    plot.ticks([(t, _clock(t)) for t in _marks(first, last)])
    for number, case in enumerate(cases):
        row = rows - 1 - number
        start = case["start_ms"]
        told = f"{case['fault_id']} {case['fault_kind']} in {case['root_service']}"
        plot.bar(start, start + 300_000, row, 11, COLOURS[0], told)
        late = start > (first + last) / 2
        at = start - pad if late else start + 300_000 + pad
        plot.label(at, row, f"{told}: {_outcome(case)}", anchor="end" if late else "start")
    for opening in openings:
        matched = [i for i, case in enumerate(cases) if case["incident_id"] == opening["incident_id"]]
        row = rows - 1 - matched[0] if matched else 0
        kind = (
            opening["fate"] if opening["fate"] in FATE_COLOURS else "right" if opening["right"] else "wrong"
        )
        named = f"{opening['first']} ({opening['confidence']:.2f})"
        said = f"{_clock(opening['opened_ms'])} {named}, {opening['fate']}"
        plot.dot(opening["opened_ms"], row, FATE_COLOURS[kind], 4, said)
    return plot.svg()


def _outcome(case: Mapping[str, Any]) -> str:
    standing = case["standing"]
    if standing is None:
        return "not detected"
    if standing["abstained"]:
        return f"abstained ({standing['abstained']})"
    named = standing["services"][0] if standing["services"] else "nobody"
    return f"named {named} after {case['delay_s']:.0f} s" + ("" if standing["rank"] == 1 else " (wrong)")


def _by_system(openings: Iterable[Opening], system_of: Mapping[str, str]) -> list[tuple[str, list[Opening]]]:
    found: dict[str, list[Opening]] = {}
    for opening in openings:
        if opening["fate"] != Fate.IGNORED:
            found.setdefault(system_of[opening["recording"]], []).append(opening)
    return list(found.items())


def _clock(ts_ms: float) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%d %H:%M")


def _marks(first_ms: float, last_ms: float) -> list[float]:
    """At most eight round times of day."""
    for step in (600_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 86_400_000):
        start = -(-first_ms // step) * step
        marks = (
            [start + i * step for i in range(int((last_ms - start) // step) + 1)] if last_ms >= start else []
        )
        if len(marks) <= 8:
            return marks
    return marks[:: len(marks) // 8 + 1]
