"""What the broker has not confirmed yet, counted so that nobody has to stop for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from confluent_kafka import KafkaError, Message

from streams.errors import FatalError

Callback = Callable[[KafkaError | None, Message], None]


class _Lot:
    """Some records, in no order: those of several partitions arrive as they like."""

    def __init__(self, owner: Deliveries) -> None:
        self._owner = owner
        self.left = 0

    def arrived(self, error: KafkaError | None, _message: object) -> None:
        self.left -= 1
        self._owner.refused = self._owner.refused or error


class Deliveries:
    """Records on their way, in lots: whether all up to a certain one are there does not depend on later ones.

    A record that the broker refuses ends it all: whoever asks after that gets a FatalError, since losing
    one in silence is worse. Callbacks come from the producer's `poll` and `flush`, so in the caller's own
    thread.

    Examples
    --------
    >>> way = Deliveries("headwater.evidence")
    >>> first = way.arrived
    >>> way.sent()
    >>> mark = way.mark()
    >>> way.sent()
    >>> first(None, None)
    >>> way.has(mark), way.has(way.mark())
    (True, False)
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.refused: KafkaError | None = None
        """Why the first of those that will never arrive will not."""
        self._lots = deque([_Lot(self)])
        self._gone = 0
        """Lots that are there and forgotten."""

    @property
    def arrived(self) -> Callback:
        """What the producer is to call when the record has arrived that it is given next."""
        return self._lots[-1].arrived

    def sent(self) -> None:
        """Count that record: the producer has taken it."""
        self._lots[-1].left += 1

    def mark(self) -> int:
        """Return what `has` is to be asked about all that was sent so far."""
        self._lots.append(_Lot(self))
        return self._gone + len(self._lots) - 1

    def has(self, mark: int) -> bool:
        """Whether the broker has all that was sent before the mark; does not wait.

        Raises
        ------
        FatalError
            It has refused something.
        """
        while len(self._lots) > 1 and not self._lots[0].left:
            self._lots.popleft()
            self._gone += 1
        self.raise_if_refused()
        return self._gone >= mark

    def raise_if_refused(self) -> None:
        """Raise FatalError if anything sent so far was refused."""
        if self.refused is not None:
            raise self.fatal(self.refused)

    def fatal(self, error: KafkaError) -> FatalError:
        """Return what to raise for a record that will not arrive."""
        return FatalError(
            f"cannot write to {self._topic}: {error.str()}; stopping, so that no record is lost"
        )
