"""Where snapshots are kept: locally in RocksDB for a quick restart, and on a compacted topic for others.

A snapshot is a manifest and the pages that it names by their digests; only pages that changed are written.
On the topic all are in the partition that has the unit's number. Two slots take turns (`slot/page` is the
key, the manifest comes last), so that a crash in the middle of writing one leaves the other whole, also after
compaction. Locally there is one: should it be broken by a crash, the topic has the one before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from rocksdict import Options, Rdict, WriteBatch

from streams.errors import FatalError, StateError
from streams.kafka import Deliveries, consumer, headers_of
from streams.settings import KafkaSettings
from streams.stages.detect.snapshot import Packed, Snapshot, decode, decode_whole
from streams.stages.detect.wait import NEXT_TURN, Wait
from streams.wire.topics import SNAPSHOTS

log = structlog.get_logger("headwater.detect")

AT_ONCE = 8
"""Pages that are on their way at a time: all together would be a second copy of the snapshot."""
TURNS = 20
"""Of the loop, at most, over which the pages are spread: one to four of them a turn, each of which takes 5 to
40 ms to digest, compress and write, by what is in it."""
SLOTS = 2
MANIFEST = -1
"""Its number among the pages of a slot."""
WHOLE_EVERY = 100
"""Snapshots after which every page is written again. Should a process that has lost the unit without knowing
it write a page in between, the slot is not whole until then."""
READ_TIMEOUT_S = 60.0


class LocalSnapshots:
    """The newest snapshot of one unit in a RocksDB of its own."""

    def __init__(self, directory: Path) -> None:
        directory.parent.mkdir(parents=True, exist_ok=True)
        options = Options(raw_mode=True)
        # What is replaced every few seconds needs no buffer: the defaults' 64 MiB would be pure waste.
        options.set_write_buffer_size(4 << 20)
        options.set_max_open_files(32)
        options.set_keep_log_file_num(2)
        self._db = Rdict(str(directory), options)
        self._there: list[bytes] = []
        """Digests of the pages that were written since it was opened."""

    def save(self, packed: Packed) -> Iterator[None]:
        """Replace the snapshot, the manifest last: in one batch all pages would be held three times.

        Stops where enough has been done for a turn of the loop.
        """
        at_a_turn, written = -(-packed.count // TURNS), 0
        for number in range(packed.count):
            if self._there[number : number + 1] != [packed.digest(number)]:
                self._db[_page_key(number)] = packed.page(number)
                written += 1
                if written % at_a_turn == 0:
                    yield
        batch = WriteBatch(raw_mode=True)
        for number in range(len(packed.digests), len(self._there)):
            batch.delete(_page_key(number))
        batch.put(b"manifest", packed.manifest)
        batch.put(b"sequence", str(packed.sequence).encode())
        batch.delete(b"snapshot")  # of before there were pages
        self._db.write(batch)
        self._there = packed.digests

    @property
    def sequence(self) -> int | None:
        """The sequence of the snapshot that is there."""
        found = self._db.get(b"sequence")
        return None if found is None else int(found)

    def load(self) -> Snapshot:
        """Return the snapshot that is there.

        Raises
        ------
        StateError
            It is damaged.
        """
        whole = self._db.get(b"snapshot")
        if whole is not None:
            return decode_whole(whole)
        return decode(self._db.get(b"manifest") or b"", lambda number: self._db.get(_page_key(number)))

    def close(self) -> None:
        """Release the lock, for the unit's next owner on this machine."""
        self._db.close()


def changed(there: list[bytes], wanted: list[bytes]) -> list[int]:
    """Return the numbers of pages that are not there yet.

    Examples
    --------
    >>> changed([b"a", b"b"], [b"a", b"c", b"d"])
    [1, 2]
    """
    return [number for number, digest in enumerate(wanted) if there[number : number + 1] != [digest]]


def _page_key(number: int) -> bytes:
    return b"page/%d" % number


class Found:
    """What a partition of the topic holds of snapshots."""

    def __init__(self) -> None:
        self._slots: dict[str, dict[int, bytes]] = {}
        self._manifests: dict[str, int] = {}
        self._chunks: dict[int, dict[int, bytes]] = {}
        self._counts: dict[int, int] = {}

    def put(self, key: str, value: bytes, sequence: int, count: int | None) -> None:
        """Take a record; `count` is that of the chunks of a snapshot of before there were pages."""
        slot, number = key.split("/")
        if count is not None:
            self._counts[sequence] = count
            self._chunks.setdefault(sequence, {})[int(number)] = value
            return
        self._slots.setdefault(slot, {})[int(number)] = value
        if int(number) == MANIFEST:
            self._manifests[slot] = sequence

    def newest(self) -> Snapshot | None:
        """Return the newest snapshot that is whole."""
        tries: dict[int, Callable[[], Snapshot]] = {}
        for sequence, chunks in self._chunks.items():
            if len(chunks) == self._counts[sequence]:
                data = [chunk for _, chunk in sorted(chunks.items())]
                tries[sequence] = partial(decode_whole, b"".join(data))
        for slot, sequence in self._manifests.items():
            pages = self._slots[slot]
            tries[sequence] = partial(decode, pages[MANIFEST], pages.get)
        for sequence in sorted(tries, reverse=True):
            try:
                return tries[sequence]()
            except StateError as error:
                log.warning("snapshot skipped", sequence=sequence, reason=str(error))
        return None


class TopicSnapshots:
    """The snapshots of all units on the compacted topic."""

    def __init__(self, settings: KafkaSettings, producer: Producer) -> None:
        self._settings = settings
        self._producer = producer
        self._topic = settings.topic(SNAPSHOTS.name)

    def save(self, unit: int, packed: Packed, there: list[bytes]) -> Iterator[Wait]:
        """Write what is not `there` in the slot, then the manifest; at its end the broker has it.

        Stops where the broker must have what was written before more is. The waits raise FatalError when it
        refuses.
        """
        slot = packed.sequence % SLOTS
        way = Deliveries(self._topic)
        missing = changed(there, packed.digests)
        for first in range(0, len(missing), AT_ONCE):
            for number in missing[first : first + AT_ONCE]:
                self._put(way, unit, f"{slot}/{number}", packed.page(number), packed.sequence)
            yield self._delivered(way)
        # Last, and alone: what it names is there before it.
        self._put(way, unit, f"{slot}/{MANIFEST}", packed.manifest, packed.sequence)
        yield self._delivered(way)

    def _delivered(self, way: Deliveries) -> Wait:
        mark = way.mark()
        return Wait(f"a snapshot on {self._topic}", lambda: way.has(mark))

    def _put(self, way: Deliveries, unit: int, key: str, value: bytes, sequence: int) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value=value,
                    key=key.encode(),
                    partition=unit,
                    headers=[("sequence", str(sequence).encode())],
                    on_delivery=way.arrived,
                )
                way.sent()
                return
            except BufferError:
                self._producer.poll(0.1)

    def newest_sequence(self, unit: int) -> int | None:
        """Return the sequence of the last page written, whole snapshot or not; None when there is none."""
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

    def load(self, unit: int) -> Snapshot | None:
        """Return the newest whole snapshot, if there is one."""
        reader = consumer(self._settings, f"restore-{unit}")
        try:
            found = self._read(reader, unit)
        finally:
            reader.close()
        return found.newest()

    def _read(self, reader: Consumer, unit: int) -> Found:
        reader.assign([TopicPartition(self._topic, unit, _BEGINNING)])
        found = Found()
        while (message := reader.poll(READ_TIMEOUT_S)) is not None:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                return found
            if error is not None:
                raise KafkaException(error)
            sequence = _header(message, "sequence") or 0
            key = (message.key() or b"").decode()
            found.put(key, message.value() or b"", sequence, _header(message, "chunks"))
        raise FatalError(f"cannot read {self._topic}: no answer in {READ_TIMEOUT_S:.0f} s")


_BEGINNING = -2
"""Kafka's name for the first offset that is still there."""


def _header(message: Message, wanted: str) -> int | None:
    return next((int(value) for name, value in headers_of(message) if name == wanted), None)


class SnapshotStore:
    """One unit's snapshots, here and on the topic, for as long as the unit is ours.

    Parameters
    ----------
    directory
        Folder of this cluster's local snapshots: state of another cluster has other offsets.
    """

    def __init__(self, unit: int, directory: Path, topic: TopicSnapshots) -> None:
        self.unit = unit
        self._topic = topic
        self._there: list[list[bytes]] = [[] for _ in range(SLOTS)]
        """Digests of the pages that we have written to each slot."""
        self._sizes: dict[int, int] = {}
        self.size_bytes = 0
        """Of the newest snapshot, as stored."""
        self._local: LocalSnapshots | None = None
        try:
            self._local = LocalSnapshots(directory / f"unit-{unit}")
        except Exception as error:  # rocksdict raises bare Exception
            # The topic has it too: slower to restore, and nothing else.
            log.warning("no local snapshots", unit=unit, directory=str(directory), reason=str(error))

    def load(self) -> Snapshot | None:
        """Return the newest snapshot that can be trusted; None means start from the sources' beginning."""
        local = self._local.sequence if self._local else None
        newest = self._topic.newest_sequence(self.unit)
        # Ours is as new as the topic's, or one ahead when we died between the two writes. Anything else is
        # an earlier ownership's, or belongs to topics that have been deleted since.
        if self._local is not None and newest is not None and local in (newest, newest + 1):
            try:
                return self._local.load()
            except StateError as error:
                log.error("local snapshot skipped", unit=self.unit, sequence=local, reason=str(error))
        return self._topic.load(self.unit) if newest is not None else None

    def save_locally(self, packed: Packed) -> Iterator[Wait]:
        """Write it here; stops where enough has been done for a turn."""
        for _ in self._local.save(packed) if self._local is not None else ():
            yield NEXT_TURN

    def publish(self, packed: Packed) -> Iterator[Wait]:
        """Write it to the topic; stops where it has to be there before more follows. At its end all is."""
        slot = packed.sequence % SLOTS
        there = self._there[slot]
        self._there[slot] = []  # should it fail halfway, nobody knows what is there
        yield from self._topic.save(self.unit, packed, [] if packed.sequence % WHOLE_EVERY < SLOTS else there)
        self._there[slot] = packed.digests
        self._sizes.update(packed.sizes)
        self.size_bytes = sum(self._sizes[number] for number in range(len(packed.digests)))

    def close(self) -> None:
        """Release the local store."""
        if self._local is not None:
            with contextlib.suppress(Exception):
                self._local.close()
            self._local = None
