"""Series by number and numbers by series: what all of a domain's columns refer to."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.telemetry import Series

_EMPTY, _RETIRED = -1, -2
FIELDS = len(Series._fields)
_KEY = Struct(f"={FIELDS}i")
_WORD = Struct("=i")
_INSTANCE, _PEER = map(Series._fields.index, ("instance", "peer"))
_AT_ONCE = 65_536
"""Series that are hashed at once: hashes as Python's objects are four times as large as they are here."""

Table = list[Any]
"""The words of one field, in order of first use: text, `Kind` or None."""


class Catalog:
    """Numbers series densely, in order of first sight; the same series always gets the same number.

    Numbers are never given to another. A series that was retired gets a new one when it comes back; whoever
    remembers numbers asks again when `generation` has changed.

    A series is kept as the numbers of its words, four bytes a field, and spelled when it is asked for: names
    and labels recur in thousands of series, and as tuples a million would take 100 MB more. The index holds
    numbers alone and compares with these.

    Examples
    --------
    >>> catalog = Catalog()
    >>> catalog.intern(Series("cart", "cpu")), catalog.intern(Series("cart", "cpu"))
    (0, 0)
    >>> catalog[0].service
    'cart'
    """

    def __init__(self) -> None:
        self._words: list[Table] = [[] for _ in range(FIELDS)]
        self._number: list[dict[Any, int]] = [{} for _ in range(FIELDS)]
        self._keys = bytearray()
        """Word numbers, `_KEY.size` bytes a series; all -1 for one that was retired."""
        self._slots = array("i", [_EMPTY]) * 256
        self._used = 0
        """Slots that are not empty."""
        self.living = 0
        """Series that are known: all that were ever seen, but for those retired."""
        self.generation = 0
        """Times that series were retired."""

    def intern(self, series: Series) -> int:
        """Return the number of `series`, giving it the next free one on first sight. O(1)."""
        key = self._key(series)
        if key is None:
            key = _KEY.pack(*(self._word(field, word) for field, word in enumerate(series)))
        slot = self._slot(key)
        found = self._slots[slot]
        if found < 0:
            found = self._slots[slot] = len(self)
            self._keys += key
            self.living += 1
            self._used += 1
            if 3 * self._used > 2 * len(self._slots):
                self._index()
        return found

    def number_of(self, series: Series) -> int | None:
        """Return the number of a series that the catalog has."""
        key = self._key(series)
        if key is None:
            return None
        found = self._slots[self._slot(key)]
        return found if found >= 0 else None

    def _key(self, series: Series) -> bytes | None:
        """Return the numbers of a series' words; None where one of them is new."""
        service, metric, instance, peer, unit, kind, version, labels = series
        of_service, of_metric, of_instance, of_peer, of_unit, of_kind, of_version, of_labels = self._number
        try:
            return _KEY.pack(
                of_service[service],
                of_metric[metric],
                of_instance[instance],
                of_peer[peer],
                of_unit[unit],
                of_kind[kind],
                of_version[version],
                of_labels[labels],
            )
        except KeyError:
            return None

    def _word(self, field: int, word: Any) -> int:
        known = self._number[field]
        number = known.get(word, -1)
        if number < 0:
            # Decoders spell names anew each time.
            word = sys.intern(word) if type(word) is str else word
            number = known[word] = len(known)
            self._words[field].append(word)
        return number

    def _slot(self, key: bytes) -> int:
        """Return where the number of a series stands, or is to be put."""
        slots, keys, mask, size = self._slots, self._keys, len(self._slots) - 1, _KEY.size
        slot = hash(key) & mask
        while (number := slots[slot]) != _EMPTY:
            if number >= 0 and keys[number * size : number * size + size] == key:
                break
            slot = (slot + 1) & mask
        return slot

    def _index(self) -> None:
        """Build the index anew, at most half full, without those that were retired."""
        size = 256
        while size < 2 * self.living:
            size *= 2
        self._slots = array("i", [_EMPTY]) * size
        for first in range(0, len(self), _AT_ONCE):
            block = bytes(self._keys[first * _KEY.size : (first + _AT_ONCE) * _KEY.size])
            starts = range(0, len(block), _KEY.size)
            hashes = np.fromiter((hash(block[at : at + _KEY.size]) for at in starts), np.int64, len(starts))
            living = np.flatnonzero(np.frombuffer(block, np.int32)[::FIELDS] >= 0)
            _enter(np.frombuffer(self._slots, np.int32), hashes[living], living + first)
        self._used = self.living

    def __getitem__(self, number: int) -> Series:
        service, metric, instance, peer, unit, kind, version, labels = _KEY.unpack_from(
            self._keys, number * _KEY.size
        )
        if service < 0:
            raise KeyError(f"series {number} was retired")
        services, metrics, instances, peers, units, kinds, versions, all_labels = self._words
        return Series(
            services[service],
            metrics[metric],
            instances[instance],
            peers[peer],
            units[unit],
            kinds[kind],
            versions[version],
            all_labels[labels],
        )

    def instance_of(self, number: int) -> str | None:
        """Return what `self[number].instance` is, for less."""
        (word,) = _WORD.unpack_from(self._keys, number * _KEY.size + _INSTANCE * _WORD.size)
        found: str | None = self._words[_INSTANCE][word]
        return found

    def __contains__(self, number: int) -> bool:
        return bool(_KEY.unpack_from(self._keys, number * _KEY.size)[0] >= 0)

    def retire(self, numbers: Iterable[int]) -> None:
        """Forget series, and words that no other has; their numbers stay unused. O(all)."""
        size = _KEY.size
        for number in numbers:
            if number in self:
                self._keys[number * size : number * size + size] = b"\xff" * size
        in_use = self.in_use()
        left = np.empty((FIELDS, len(self)), np.int32)
        self.write(left, in_use)
        self.restore([words for words, _ in in_use], left)
        self.generation += 1

    def column(self, field: str) -> tuple[Table, NDArray[np.int32]]:
        """Return the words of a field, and which of them each series has, -1 for those that were retired."""
        at = Series._fields.index(field)
        return self._words[at], self._column(at).copy()

    def are_edges(self, first: int) -> NDArray[np.bool_]:
        """Tell which series from number `first` on have a peer."""
        none = self._number[_PEER].get(None, _EMPTY)
        peer = self._column(_PEER)[first:]
        found: NDArray[np.bool_] = (peer >= 0) & (peer != none)
        return found

    def in_use(self) -> list[tuple[Table, NDArray[np.int32]]]:
        """Return each field's words that living series have, in order of first use, and their new numbers.

        The new numbers stand at the old ones, -1 for words that nobody has; and, behind all, for no word.
        """
        return [self._field_in_use(field) for field in range(FIELDS)]

    def _field_in_use(self, field: int) -> tuple[Table, NDArray[np.int32]]:
        words, column = self._words[field], self._column(field)
        first = np.full(len(words), len(self))
        for begin in reversed(range(0, len(self), _AT_ONCE)):
            there = np.flatnonzero(column[begin : begin + _AT_ONCE] >= 0)[::-1] + begin
            first[column[there]] = there  # the last to be written is the first to be there
        used = np.flatnonzero(first < len(self))
        used = used[np.argsort(first[used])]
        renumbered = np.full(len(words) + 1, -1, np.int32)
        renumbered[used] = np.arange(len(used))
        return [words[each] for each in used.tolist()], renumbered

    def write(
        self, numbers: NDArray[np.signedinteger[Any]], in_use: Sequence[tuple[Table, NDArray[np.int32]]]
    ) -> None:
        """Write the new numbers of all series' words into an array[field, series]; -1 for those retired."""
        for field, (_, renumbered) in enumerate(in_use):
            column = self._column(field)
            for begin in range(0, len(self), _AT_ONCE):
                block = renumbered[column[begin : begin + _AT_ONCE]]
                numbers[field, begin : begin + len(block)] = block

    def _column(self, field: int) -> NDArray[np.int32]:
        """Return a view: while there is one, no series can be added."""
        return np.frombuffer(self._keys, np.int32)[field::FIELDS]

    def restore(self, words: Sequence[Table], numbers: NDArray[np.signedinteger[Any]]) -> None:
        """Take series in the order of their numbers, as words and numbers[field, series] of them."""
        self._words = [list(each) for each in words]
        self._number = [{word: number for number, word in enumerate(each)} for each in words]
        self._keys = bytearray(numbers.shape[1] * _KEY.size)
        np.frombuffer(self._keys, np.int32).reshape(-1, FIELDS)[:] = numbers.T
        self.living = int((numbers[0] >= 0).sum())
        self._index()

    def __len__(self) -> int:
        return len(self._keys) // _KEY.size


def _enter(slots: NDArray[np.int32], hashes: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
    """Put numbers into the slots of their hashes, or the next that are free; all at once."""
    slot = hashes & (len(slots) - 1)
    while len(numbers):
        free = slots[slot] == _EMPTY
        slots[slot[free]] = numbers[free]  # of several that want one, the last has it
        left = slots[slot] != numbers
        slot, numbers = (slot[left] + 1) & (len(slots) - 1), numbers[left]
