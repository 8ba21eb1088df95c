"""Steps 4 to 7: what makes a crash harmless is their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams import metrics
from streams.errors import FatalError
from streams.kafka import DeadLetters
from streams.stages.detect.emitter import Emitter
from streams.stages.detect.ownership import Owned
from streams.stages.detect.snapshot import Packed
from streams.stages.detect.steps import Step
from streams.stages.detect.wait import Wait
from streams.stages.detect.watermark import PartitionKey

log = structlog.get_logger("headwater.detect")

KEPT_BYTES = 64 << 20
"""State, before compression, that may be copied so that its unit goes on while it is written: a thousand
series with what waits for its tick, 20 s of 100,000 points, are 41 MB. A million series are 0.9 GB, which
nobody has twice: they are written while the loop stands still, and less often for it."""
DELIVERY_TIMEOUT_S = 60.0
LOOK_S = 1.0
"""How long at a time the broker is waited for when there is nothing else to do."""


@dataclass(slots=True)
class _Save:
    """One unit's snapshot on its way through the steps."""

    owned: Owned
    steps: Iterator[Wait]
    kept_bytes: int
    began_s: float
    wait: Wait
    waits_since_s: float


class Checkpoint:
    """Saves units together with the source offsets that are in them, while the loop goes on.

    4. all evidence and dead letters up to those offsets are on the broker;
    5. the snapshot is written to the local store;
    6. it is on the compacted topic;
    7. the source offsets are committed, for those who watch the lag.

    Each step of a unit follows the one before, however long the broker takes to confirm it, and whatever is
    read meanwhile is not in the snapshot. A crash anywhere goes on from the last one that was finished.
    """

    def __init__(
        self,
        client: Consumer,
        sender: Producer,
        emitter: Emitter,
        dead: DeadLetters,
        reached: Callable[[Step], None],
        elapsed_s: Callable[[], float],
    ) -> None:
        self._client = client
        self._sender = sender
        self._emitter = emitter
        self._dead = dead
        self._reached = reached
        self._elapsed_s = elapsed_s
        self._saves: list[_Save] = []
        self._hurries = False

    @property
    def is_idle(self) -> bool:
        """Whether all that was begun is finished."""
        return not self._saves

    def begin(self, units: Sequence[Owned]) -> None:
        """Take the snapshot of each unit that has news, as it stands now; the steps follow in `go_on`.

        What would be too much to hold twice is written at once. A unit may not be begun again before it is
        finished, by `finish` at the latest.

        Raises
        ------
        FatalError
            Something was not delivered; nothing that rests on it has been saved.
        """
        for owned in units:
            if not owned.unit.has_news:
                continue
            began_s = self._elapsed_s()
            snapshot = owned.unit.snapshot()
            packed = Packed(snapshot)
            kept_bytes = packed.raw_bytes
            fits = kept_bytes + sum(each.kept_bytes for each in self._saves) <= KEPT_BYTES
            if fits:
                packed.keep()
            steps = self._steps(owned, snapshot.offsets, packed)
            self._saves.append(_Save(owned, steps, kept_bytes, began_s, next(steps), began_s))
            if not fits:
                self.finish()

    def go_on(self) -> None:
        """Take each step for which the broker has confirmed what is before it; does not wait.

        Raises
        ------
        FatalError
            Something was not delivered, or not within a minute.
        """
        if self._saves:
            self._sender.poll(0)
            for save in list(self._saves):
                self._go_on(save)

    def finish(self) -> None:
        """Take all steps that are left, and wait for the broker.

        Raises
        ------
        FatalError
            As in `go_on`.
        """
        self._hurries = True
        try:
            while self._saves:
                save = self._saves[0]
                if not save.wait.is_over():
                    self._sender.flush(LOOK_S)
                self._go_on(save)
        finally:
            self._hurries = False

    def forget(self, units: Iterable[int]) -> None:
        """Leave what was begun for units that are somebody else's now."""
        numbers = set(units)
        self._saves = [each for each in self._saves if each.owned.unit.number not in numbers]

    def _go_on(self, save: _Save) -> None:
        now_s = self._elapsed_s()
        if save.wait.is_over():
            try:
                save.wait, save.waits_since_s = next(save.steps), now_s
            except StopIteration:
                self._saves.remove(save)
                metrics.SNAPSHOT_SECONDS.observe(self._elapsed_s() - save.began_s)
        elif now_s - save.waits_since_s > DELIVERY_TIMEOUT_S:
            raise FatalError(f"{save.wait.what} not confirmed in {DELIVERY_TIMEOUT_S:.0f} s; stopping")

    def _steps(self, owned: Owned, offsets: Mapping[PartitionKey, int], packed: Packed) -> Iterator[Wait]:
        yield self._all_delivered()
        self._reached(Step.DELIVERED)  # 4
        yield from owned.store.save_locally(packed)
        self._reached(Step.SAVED)  # 5
        for wait in owned.store.publish(packed):
            self._reached(Step.SENT)
            yield wait
        metrics.STATE_STORE_BYTES.labels("detect").set(owned.store.size_bytes)
        self._reached(Step.REPLICATED)  # 6
        if offsets:
            self._commit([TopicPartition(*key, offset) for key, offset in offsets.items()])

    def _all_delivered(self) -> Wait:
        evidence, dead = self._emitter.mark(), self._dead.mark()
        return Wait("evidence and dead letters", lambda: self._emitter.has(evidence) and self._dead.has(dead))

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            if self._hurries:
                self._client.commit(offsets=offsets, asynchronous=False)
                self._reached(Step.COMMITTED)  # 7
            else:
                self._client.commit(offsets=offsets, asynchronous=True)
        except KafkaException as refused:
            self._not_committed(refused.args[0])

    def committed(self, error: KafkaError | None, _offsets: list[TopicPartition]) -> None:
        """Hear what became of a commit that was not waited for: called by the consumer."""
        if error is not None:
            self._not_committed(error)
        else:
            self._reached(Step.COMMITTED)  # 7

    @staticmethod
    def _not_committed(error: KafkaError) -> None:
        # Nothing rests on it but the lag that others see: restarts go by the snapshot. It is refused
        # during a rebalance, and to a process that has lost its partitions without knowing it yet.
        log.warning("offsets not committed", reason=error.str())
