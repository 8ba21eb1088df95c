"""Steps 4 to 7: what makes a crash harmless is their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams import metrics
from streams.kafka import DeadLetters
from streams.stages.detect.emitter import Emitter
from streams.stages.detect.ownership import Owned
from streams.stages.detect.steps import Step

log = structlog.get_logger("headwater.detect")


class Checkpoint:
    """Saves units together with the source offsets that are in them.

    4. all evidence and dead letters are on the broker;
    5. the snapshot is written to the local store;
    6. it is on the compacted topic;
    7. the source offsets are committed, for those who watch the lag.
    """

    def __init__(
        self, client: Consumer, emitter: Emitter, dead: DeadLetters, reached: Callable[[Step], None]
    ) -> None:
        self._client = client
        self._emitter = emitter
        self._dead = dead
        self._reached = reached

    def save(self, units: Sequence[Owned]) -> None:
        """Take all steps for each unit that has news.

        Raises
        ------
        FatalError
            Something was not delivered; nothing that rests on it has been saved.
        """
        self._emitter.flush()
        self._dead.flush()
        self._reached(Step.DELIVERED)  # 4
        for owned in units:
            if owned.unit.has_news:
                with metrics.SNAPSHOT_SECONDS.time():
                    self._save(owned)

    def _save(self, owned: Owned) -> None:
        snapshot = owned.unit.snapshot()
        offsets = [TopicPartition(*key, offset) for key, offset in snapshot.offsets.items()]
        packed = owned.store.save_locally(snapshot)
        self._reached(Step.SAVED)  # 5
        owned.store.publish(packed)
        metrics.STATE_STORE_BYTES.labels("detect").set(owned.store.size_bytes)
        self._reached(Step.REPLICATED)  # 6
        if offsets:
            self._commit(offsets)
            self._reached(Step.COMMITTED)  # 7

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            self._client.commit(offsets=offsets, asynchronous=False)
        except KafkaException as refused:
            # Nothing rests on it but the lag that others see: restarts go by the snapshot. It is refused
            # during a rebalance, and to a process that has lost its partitions without knowing it yet.
            log.warning("offsets not committed", reason=refused.args[0].str())
