"""Where snapshots are kept: locally in RocksDB for a quick restart, and on a compacted topic for others.

On the topic a snapshot is a set of chunks, all in the partition that has the unit's number. Two slots take
turns (`slot/chunk` is the key), so that a crash in the middle of writing one leaves the other whole, also
after compaction.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from rocksdict import Options, Rdict, WriteBatch

from streams.errors import FatalError, StateError
from streams.kafka import consumer, headers_of
from streams.settings import KafkaSettings
from streams.stages.detect.snapshot import Snapshot, decode, encode
from streams.wire.topics import SNAPSHOTS

log = structlog.get_logger("headwater.detect")

CHUNK_BYTES = 800_000
"""Below Kafka's default message.max.bytes of 1,048,588, with room for key and headers."""
AT_ONCE = 8
"""Chunks that are on their way at a time."""
SLOTS = 2
DELIVERY_TIMEOUT_S = 60.0
READ_TIMEOUT_S = 60.0


class LocalSnapshots:
    """The newest snapshot of one unit in a RocksDB of its own; replaced as a whole in one write batch."""

    def __init__(self, directory: Path) -> None:
        directory.parent.mkdir(parents=True, exist_ok=True)
        options = Options(raw_mode=True)
        # One value that is replaced every few seconds: the defaults' 64 MiB buffers would be pure waste.
        options.set_write_buffer_size(4 << 20)
        options.set_max_open_files(32)
        options.set_keep_log_file_num(2)
        self._db = Rdict(str(directory), options)

    def save(self, data: bytes, sequence: int) -> None:
        """Replace the snapshot."""
        batch = WriteBatch(raw_mode=True)
        batch.put(b"snapshot", data)
        batch.put(b"sequence", str(sequence).encode())
        self._db.write(batch)

    def load(self) -> tuple[int, bytes] | None:
        """Return sequence and bytes of the newest snapshot, if there is one."""
        data, sequence = self._db.get(b"snapshot"), self._db.get(b"sequence")
        return (int(sequence), data) if data is not None and sequence is not None else None

    def close(self) -> None:
        """Release the lock, for the unit's next owner on this machine."""
        self._db.close()


class TopicSnapshots:
    """The snapshots of all units on the compacted topic."""

    def __init__(self, settings: KafkaSettings, producer: Producer) -> None:
        self._settings = settings
        self._producer = producer
        self._topic = settings.topic(SNAPSHOTS.name)
        self._failures: list[KafkaError] = []

    def save(self, unit: int, data: bytes, sequence: int) -> None:
        """Write all chunks and return when the broker has them.

        Raises
        ------
        FatalError
            A chunk could not be delivered.
        """
        starts = range(0, len(data), CHUNK_BYTES)
        self._failures.clear()
        for number, at in enumerate(starts):
            # Some at a time: all chunks together would be a second copy of the snapshot.
            chunk = data[at : at + CHUNK_BYTES]
            self._put(unit, f"{sequence % SLOTS}/{number}", chunk, sequence, len(starts))
            if number % AT_ONCE == AT_ONCE - 1:
                self._deliver()
        self._deliver()

    def _deliver(self) -> None:
        left = self._producer.flush(DELIVERY_TIMEOUT_S)
        if self._failures or left:
            reason = self._failures[0].str() if self._failures else f"no answer in {DELIVERY_TIMEOUT_S:.0f} s"
            raise FatalError(f"cannot write a snapshot to {self._topic}: {reason}")

    def _put(self, unit: int, key: str, chunk: bytes, sequence: int, count: int) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value=chunk,
                    key=key.encode(),
                    partition=unit,
                    headers=[("sequence", str(sequence).encode()), ("chunks", str(count).encode())],
                    on_delivery=self._delivered,
                )
                return
            except BufferError:
                self._producer.poll(0.1)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failures.append(error)

    def newest_sequence(self, unit: int) -> int | None:
        """Return the sequence of the last chunk written, whole snapshot or not; None when there is none."""
        reader = consumer(self._settings, f"restore-{unit}")
        try:
            where = TopicPartition(self._topic, unit)
            low, high = reader.get_watermark_offsets(where, timeout=READ_TIMEOUT_S)
            if high <= low:
                return None
            # The newest record of a partition is never compacted away. To the end, and not just that one: a
            # broker may report where its last batch begins as the end.
            reader.assign([TopicPartition(self._topic, unit, high - 1)])
            newest = None
            while (message := reader.poll(READ_TIMEOUT_S)) is not None and message.error() is None:
                newest = _header(message, "sequence")
            return newest
        finally:
            reader.close()

    def load(self, unit: int) -> tuple[int, bytes] | None:
        """Return sequence and bytes of the newest whole snapshot, if there is one."""
        reader = consumer(self._settings, f"restore-{unit}")
        try:
            return self._read(reader, unit)
        finally:
            reader.close()

    def _read(self, reader: Consumer, unit: int) -> tuple[int, bytes] | None:
        reader.assign([TopicPartition(self._topic, unit, _BEGINNING)])
        chunks: dict[int, dict[int, bytes]] = {}
        counts: dict[int, int] = {}
        while (message := reader.poll(READ_TIMEOUT_S)) is not None:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                return _newest_whole(chunks, counts)
            if error is not None:
                raise KafkaException(error)
            sequence = _header(message, "sequence")
            counts[sequence] = _header(message, "chunks")
            chunk = int((message.key() or b"").split(b"/")[1])
            chunks.setdefault(sequence, {})[chunk] = message.value() or b""
        raise FatalError(f"cannot read {self._topic}: no answer in {READ_TIMEOUT_S:.0f} s")


_BEGINNING = -2
"""Kafka's name for the first offset that is still there."""


def _header(message: Message, wanted: str) -> int:
    return next(int(value) for name, value in headers_of(message) if name == wanted)


def _newest_whole(chunks: dict[int, dict[int, bytes]], counts: dict[int, int]) -> tuple[int, bytes] | None:
    whole = [sequence for sequence, found in chunks.items() if len(found) == counts[sequence]]
    if not whole:
        return None
    return max(whole), b"".join(chunk for _, chunk in sorted(chunks[max(whole)].items()))


class SnapshotStore:
    """One unit's snapshots, here and on the topic.

    Parameters
    ----------
    directory
        Folder of this cluster's local snapshots: state of another cluster has other offsets.
    """

    def __init__(self, unit: int, directory: Path, topic: TopicSnapshots) -> None:
        self.unit = unit
        self._topic = topic
        self._local: LocalSnapshots | None = None
        try:
            self._local = LocalSnapshots(directory / f"unit-{unit}")
        except Exception as error:  # rocksdict raises bare Exception
            # The topic has it too: slower to restore, and nothing else.
            log.warning("no local snapshots", unit=unit, directory=str(directory), reason=str(error))

    def load(self) -> Snapshot | None:
        """Return the newest snapshot that can be trusted; None means start from the sources' beginning."""
        local = self._local.load() if self._local else None
        newest = self._topic.newest_sequence(self.unit)
        # Ours is as new as the topic's, or one ahead when we died between the two writes. Anything else is
        # an earlier ownership's, or belongs to topics that have been deleted since.
        if local is not None and newest is not None and local[0] in (newest, newest + 1):
            try:
                return decode(local[1])
            except StateError as error:
                log.error("local snapshot skipped", unit=self.unit, sequence=local[0], reason=str(error))
        found = self._topic.load(self.unit) if newest is not None else None
        if found is not None:
            try:
                return decode(found[1])
            except StateError as error:
                log.error("snapshot skipped", unit=self.unit, sequence=found[0], reason=str(error))
        return None

    def save_locally(self, snapshot: Snapshot) -> bytes:
        """Write it here; returns the bytes for `publish`."""
        data = encode(snapshot)
        if self._local is not None:
            self._local.save(data, snapshot.sequence)
        return data

    def publish(self, data: bytes, sequence: int) -> None:
        """Write it to the topic and wait until it is there."""
        self._topic.save(self.unit, data, sequence)

    def close(self) -> None:
        """Release the local store."""
        if self._local is not None:
            with contextlib.suppress(Exception):
                self._local.close()
            self._local = None
