"""Alerts as cards on a terminal."""

from __future__ import annotations

from rich.console import Console

from streams.sinks.card import Card
from streams.wire.messages import EnrichedAlert


class ConsoleSink:
    """Prints each alert's card."""

    name = "console"

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()

    async def send(self, alert: EnrichedAlert) -> None:
        """Print it."""
        self._console.print(Card(alert))
