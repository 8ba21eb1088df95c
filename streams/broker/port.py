"""What the demo, the tests and CI ask of a broker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Broker(ABC):
    """A Kafka-protocol broker that can be started, reached and stopped.

    A context manager: it is up inside the block, and leaves neither a process nor a file behind it.
    """

    @property
    @abstractmethod
    def bootstrap_servers(self) -> str:
        """`host:port`, comma-separated; valid once started."""

    @abstractmethod
    def start(self) -> None:
        """Return when the broker answers; `BrokerUnavailable` or `UserError` when it will not."""

    @abstractmethod
    def stop(self) -> None:
        """End it. May be called twice, and before `start`."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:  # also Ctrl-C while starting: nothing may be left running
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
