"""The units that this process owns: taken with their state, paced, and given away."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import ClusterMetadata

from streams.errors import StateError
from streams.settings import Settings
from streams.stages.detect.snapshot import Snapshot
from streams.stages.detect.snapshot_store import SnapshotStore, TopicSnapshots
from streams.stages.detect.unit import Clocks, Unit
from streams.stages.detect.units import dense_topics, partitions_of
from streams.stages.detect.watermark import PartitionKey
from streams.wire.topics import SNAPSHOTS

log = structlog.get_logger("headwater.detect")

MAX_AHEAD_MS = 600_000
"""How far one partition may run ahead of the watermark in event time before it is paused: what it delivers
must be held in memory until the slower ones have caught up."""
METADATA_TIMEOUT_S = 5.0
_BEGINNING = -2
"""OFFSET_BEGINNING: a unit without a snapshot reads all that its sources still have."""


@dataclass(slots=True)
class Owned:
    """A unit that this process owns."""

    unit: Unit
    store: SnapshotStore
    partitions: tuple[PartitionKey, ...]
    unread_sparse: set[PartitionKey]
    """Sparse partitions not read to their end yet. Dense ones wait for them, so that after a stop changes
    are known before the anomalies that they explain, in whatever order the broker delivers."""
    taken_at_ms: int = 0
    """Our clock when the unit was taken."""
    waiting: set[PartitionKey] = field(default_factory=set)
    """Dense partitions paused by us."""


class Ownership:
    """Units by number, and what the consumer is told about their partitions.

    Parameters
    ----------
    found
        The cluster as it stands at start; the width of the snapshot topic is the number of units.
    """

    def __init__(
        self,
        settings: Settings,
        clocks: Clocks,
        found: ClusterMetadata,
        client: Consumer,
        producer: Producer,
    ) -> None:
        self._settings = settings
        self._clocks = clocks
        self._found = found
        self._client = client
        self._snapshots = TopicSnapshots(settings.kafka, producer)
        self._topics = [settings.read_by_detect(name) for name in settings.detect.topics]
        self._dense = {settings.read_by_detect(name) for name in dense_topics(settings.detect)}
        self.count = len(found.topics[settings.kafka.topic(SNAPSHOTS.name)].partitions)
        self.units: dict[int, Owned] = {}

    def of(self, partition: PartitionKey) -> Owned | None:
        """Return the unit that a raw partition belongs to, if it is ours."""
        return self.units.get(partition[1] % self.count)

    def is_dense(self, partition: PartitionKey) -> bool:
        """Whether the partition's event times make the watermark."""
        return partition[0] in self._dense

    def take(self, number: int) -> None:
        """Restore a unit and begin to read its partitions where its snapshot ends."""
        # A million series are tens of millions of objects, none of them garbage: looking for cycles among
        # them again and again would be most of the time of a restore, and of every pause after it.
        gc.disable()
        try:
            owned = self.units[number] = self._restored(number)
        finally:
            gc.freeze()
            gc.enable()
        offsets = owned.unit.offsets
        self._client.incremental_assign(
            [TopicPartition(*key, offsets.get(key, _BEGINNING)) for key in owned.partitions]
        )
        if owned.unread_sparse:
            owned.waiting = {key for key in owned.partitions if self.is_dense(key)}
            self._client.pause([TopicPartition(*key) for key in owned.waiting])
        log.info(
            "unit taken",
            unit=number,
            partitions=len(owned.partitions),
            from_snapshot=owned.unit.sequence or None,
        )

    def _restored(self, number: int) -> Owned:
        partitions = partitions_of(number, self.count, self._topics, self._found)
        # Offsets of one cluster mean nothing on another, and two headwaters may share a cluster.
        name = f"{self._found.cluster_id}-{self._settings.kafka.group_prefix}"
        directory = self._settings.state_dir / "detect" / name
        store = SnapshotStore(number, directory, self._snapshots)
        dense = [key for key in partitions if self.is_dense(key)]
        unit = self._unit(number, dense, store.load())
        sparse = set(partitions) - set(dense)
        return Owned(unit, store, partitions, unread_sparse=sparse, taken_at_ms=self._clocks.now_ms())

    def _unit(self, number: int, dense: Sequence[PartitionKey], snapshot: Snapshot | None) -> Unit:
        try:
            return Unit(number, self.count, dense, self._settings.detect, self._clocks, snapshot)
        except StateError as error:
            # Written by other detection mathematics, whose ids differ anyway. The sources are still there.
            log.error("snapshot not used; reading the sources from their beginning", reason=str(error))
            return Unit(number, self.count, dense, self._settings.detect, self._clocks)

    def drop(self, number: int) -> None:
        """Stop reading a unit's partitions and forget it; what is to be saved has been saved."""
        owned = self.units.pop(number, None)
        if owned is not None:
            owned.store.close()
            self._client.incremental_unassign([TopicPartition(*key) for key in owned.partitions])
            log.info("unit given away", unit=number)

    def reached_end(self, partition: PartitionKey) -> None:
        """Note that a partition of ours has been read to its end."""
        owned = self.of(partition)
        if owned is None:
            return
        owned.unread_sparse.discard(partition)
        if self.is_dense(partition):
            owned.unit.watermark.reached_end(partition, self._clocks.elapsed_s())

    def has_read(self, partition: PartitionKey, stamp_ms: int) -> None:
        """Note the stamp of the newest record read of a partition of ours.

        A partition with some records every second has no end that a fetch would ever meet. What came after we
        took it is not what the others have to wait for.
        """
        owned = self.of(partition)
        if owned is not None and stamp_ms >= owned.taken_at_ms:
            owned.unread_sparse.discard(partition)

    def pace(self) -> None:
        """Pause partitions that are too far ahead, resume them when the others have caught up."""
        for owned in self.units.values():
            watermark = owned.unit.watermark
            for partition in filter(self.is_dense, owned.partitions):
                ahead_ms = watermark.ahead_ms(partition)
                paused = partition in owned.waiting
                if paused and not owned.unread_sparse and ahead_ms < MAX_AHEAD_MS // 2:
                    owned.waiting.discard(partition)
                    self._client.resume([TopicPartition(*partition)])
                elif not paused and ahead_ms > MAX_AHEAD_MS:
                    owned.waiting.add(partition)
                    self._client.pause([TopicPartition(*partition)])

    def look_for_new_partitions(self) -> None:
        """Read partitions that a producer has added to its topic; their unit follows from their number."""
        try:
            self._found = self._client.list_topics(timeout=METADATA_TIMEOUT_S)
        except KafkaException:
            return  # the broker is away; it is asked again
        for number, owned in self.units.items():
            known = set(owned.partitions)
            wanted = partitions_of(number, self.count, self._topics, self._found)
            new = tuple(each for each in wanted if each not in known)
            if new:
                log.info("partitions added", unit=number, partitions=new)
                owned.partitions += new
                owned.unit.watermark.add(filter(self.is_dense, new))
                self._client.incremental_assign([TopicPartition(*key, _BEGINNING) for key in new])
