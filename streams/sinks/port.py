"""What NOTIFY asks of a receiver of alerts."""

from __future__ import annotations

from typing import Protocol

from streams.errors import ConfigError
from streams.wire.messages import EnrichedAlert


class Sink(Protocol):
    """Receives every revision of every alert, possibly more than once; the incident's id is the key."""

    @property
    def name(self) -> str:
        """For the log."""

    async def send(self, alert: EnrichedAlert) -> None:
        """Deliver it, or raise; the alert stays on its topic either way."""


def named(name: str) -> Sink:
    """Return the sink of a name; `ConfigError` when there is none."""
    if name == "console":
        from streams.sinks.console import ConsoleSink

        return ConsoleSink()
    raise ConfigError(f"notify.sinks: there is no sink {name!r}; there are: console")
