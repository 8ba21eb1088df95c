"""The enriched alert as a card on a terminal: what is wrong, since when, why, and how sure.

The order is the order in which an engineer on call asks. Sections without content are left out, so that
what is on the card is there for a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from correlator.incident import EvidenceLine, Hop
from streams.wire.messages import Confidence, EnrichedAlert, Term

CARD_WIDTH = 100
"""Columns. Wider lines are hard to read, and a pager or a chat window cuts them."""

SEVERITY_STYLE = {"critical": "red", "high": "red", "warning": "yellow", "info": "blue"}
ABSTENTIONS = {
    "insufficient_evidence": "Something is wrong, but the evidence does not name a cause",
    "conflicting_signals": "The signals contradict each other",
    "no_topology": "It is not known who depends on whom",
    "novel_pattern": "This looks like nothing seen before",
    "no_fault_found": "Nothing is wrong",
}
MOST_TERMS = 6
SINCE = re.compile(r" since \d\d:\d\d:\d\d$")
NUMBER = re.compile(r" [-\d]")
"""What comes before the first number names the signal: instances of one service say the same."""
MOST_SUFFERERS = 6


def clock(ts_ms: int) -> str:
    """Write a time of day in UTC.

    Examples
    --------
    >>> clock(1_790_000_000_000)
    '14:13:20'
    """
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%H:%M:%S")


def duration(seconds: float) -> str:
    """Write a span the way people say it, with its sign.

    Examples
    --------
    >>> duration(45), duration(-15), duration(130), duration(7300)
    ('+45 s', '-15 s', '+2 min 10 s', '+2 h 1 min')
    """
    sign = "-" if seconds < 0 else "+"
    whole = round(abs(seconds))
    if whole < 100:
        return f"{sign}{whole} s"
    if whole < 6000:
        return f"{sign}{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{sign}{whole // 3600} h {whole % 3600 // 60} min"


def bar(probability: float, width: int = 10) -> str:
    """Draw a probability.

    Examples
    --------
    >>> bar(.8)
    '████████░░'
    """
    full = round(probability * width)
    return "█" * full + "░" * (width - full)


class Card:
    """A Rich renderable of one enriched alert."""

    def __init__(self, alert: EnrichedAlert) -> None:
        self.alert = alert
        self._evidence = {line.id: line for line in alert.incident.evidence}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        alert = self.alert
        style = "green" if alert.status == "resolved" else SEVERITY_STYLE.get(alert.severity, "yellow")
        until = f" to {clock(alert.resolved_ms)}" if alert.resolved_ms else ""
        day = datetime.fromtimestamp(alert.started_ms / 1000, UTC).strftime("%a %d %b %Y")
        yield Panel(
            Group(*self._sections()),
            title=f"[bold {style}]{alert.severity.upper()}[/] · {clock(alert.started_ms)}{until} UTC, {day}",
            title_align="left",
            subtitle=f"[dim]{alert.incident_id} · revision {alert.revision} · {alert.domain}[/]",
            subtitle_align="right",
            border_style=style,
            box=box.ROUNDED,
            padding=(1, 2),
            width=min(CARD_WIDTH, options.max_width),
        )

    def _sections(self) -> Iterable[Text | Padding]:
        alert = self.alert
        yield Text(alert.title, style="bold")
        delay_s = (alert.detected_ms - alert.started_ms) / 1000
        yield Text(
            f"noticed {clock(alert.detected_ms)} ({duration(delay_s)[1:]} after it began)", style="dim"
        )
        incident = alert.incident
        if incident.what_changed:
            yield Text(f"new in this revision: {incident.what_changed}", style="dim")
        if incident.supersedes:
            yield Text(f"merged into this one: {', '.join(incident.supersedes)}", style="dim")
        yield from self._verdict()
        yield from _section("How it spread", [self._chain()] if alert.chain else [])
        yield from _section(
            "Who suffers", _bullets(f"{i.service}: {i.summary}" for i in alert.impact[:MOST_SUFFERERS])
        )
        yield from _section("Why", [_terms(alert.confidence.terms)] if alert.confidence.terms else [])
        yield from _section("What speaks against it", _bullets(alert.speaks_against))
        lower = (f"{other.entity} ({other.probability:.2f}): {other.why_lower}" for other in alert.runners_up)
        yield from _section("Why not", _bullets(lower))
        yield from _section("Cleared", _bullets(alert.exonerated))
        yield from _section("Contradictions", _bullets(alert.conflicts))
        yield from _section("Not checked", _bullets(alert.not_checked))
        yield from _section("Ask next", _bullets([alert.next_question] if alert.next_question else []))

    def _verdict(self) -> Iterable[Text]:
        alert = self.alert
        yield Text()
        if alert.root_cause is None or alert.verdict != "likely_cause":
            yield Text(ABSTENTIONS.get(alert.verdict, alert.verdict), style="bold yellow")
            if alert.incident.abstention:
                yield Text(alert.incident.abstention.reason)
        if alert.root_cause is not None:
            line = Text(
                "Likely cause  " if alert.verdict == "likely_cause" else "Best guess    ", style="dim"
            )
            line.append(alert.root_cause.entity, style="bold cyan")
            line.append(f"  {alert.root_cause.summary}")
            yield line
            yield _confidence(alert.confidence)

    def _chain(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        root = self.alert.chain[0].source
        cause = self.alert.root_cause
        table.add_row(
            clock(cause.onset_ms if cause else self.alert.started_ms),
            Text(root, style="bold cyan"),
            self._own_evidence(root),
        )
        discovered = set(self.alert.incident.discovered)
        for hop in self.alert.chain:
            table.add_row(clock(hop.onset_ms), Text(f"└ {hop.target}"), self._hop_text(hop, discovered))
        return table

    def _hop_text(self, hop: Hop, discovered: set[str]) -> Text:
        text = Text(f"{duration(hop.lag_s)}  ", style="dim")
        cited = [self._evidence[ref] for ref in hop.evidence if ref in self._evidence]
        text.append(_quote(cited, hop.target), style="default")
        sources = ", ".join(source.value.replace("_", " ") for source in hop.edge_sources)
        if sources:
            text.append(f"  [{sources}]", style="dim")
        if {f"{hop.source} → {hop.target}", f"{hop.target} → {hop.source}"} & discovered:
            text.append("  discovered, not declared", style="bold magenta")
        return text

    def _own_evidence(self, service: str) -> Text:
        own: list[EvidenceLine] = [line for line in self._evidence.values() if line.service == service]
        own.sort(key=lambda line: (-line.score, line.id))
        return Text(_quote(own, service))


def _confidence(confidence: Confidence) -> Text:
    text = Text("Confidence    ", style="dim")
    text.append(f"{bar(confidence.probability)} {confidence.probability:.2f}", style="bold")
    if not confidence.calibrated:
        text.append("  uncalibrated: fewer than 30 labelled incidents here", style="dim")
    return text


def _quote(cited: list[EvidenceLine], service: str) -> str:
    """Two different signals, without what their row already says: the service and the time."""
    shown: dict[str, str] = {}
    for line in cited:
        text = SINCE.sub("", line.text.removeprefix(f"{service} "))
        shown.setdefault(NUMBER.split(text, maxsplit=1)[0], text)
    return "; ".join(list(shown.values())[:2]) or "no telemetry of its own"


def _section(title: str, content: Iterable[Table]) -> Iterable[Text | Padding]:
    content = list(content)
    if content:
        yield Text()
        yield Text(title, style="bold dim")
        for item in content:
            yield Padding(item, (0, 0, 0, 2))


def _bullets(lines: Iterable[str]) -> list[Table]:
    return [_bullet(line) for line in lines]


def _bullet(line: str) -> Table:
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=1, style="dim")
    row.add_column(overflow="fold")
    row.add_row("•", line)
    return row


def _terms(terms: tuple[Term, ...]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    strongest = sorted(terms, key=lambda term: -abs(term.contribution))[:MOST_TERMS]
    for term in strongest:
        style = "green" if term.contribution >= 0 else "red"
        table.add_row(Text(f"{term.contribution:+.2f}", style=style), term.name.replace("_", " "), term.why)
    return table
