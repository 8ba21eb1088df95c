"""A detector's state as bytes: a magic word, a checksum, a JSON header and raw arrays. No pickles.

Pickles of one version of a library do not load in the next, and loading runs code. Bytes are equal for
equal states, so snapshots can be compared.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = b"HWDT"
VERSION = 5
READABLE = (2, 3, 4, VERSION)
"""Version 2 spelled out the fields of every series; before 4 nothing was read off values; before 5 the fields
of a row lay in another order."""
RECORDS_SINCE = 5
AT_ONCE = 4096
"""Records that are brought from one layout to the other together: three megabytes beside the whole."""
_PREFIX = len(MAGIC) + 1 + 4 + 4


class Records(NamedTuple):
    """How records of a state lie in memory."""

    now: np.dtype[np.void]
    former: np.dtype[np.void] | None = None
    """In states before version `RECORDS_SINCE`, where they lay otherwise."""
    bring: Callable[[NDArray[np.void]], NDArray[np.void]] | None = None
    """From the former layout to that of now."""


Part = bytes | bytearray | memoryview
State = bytes | list[Part]
"""Whole, or in parts: of a million series every copy is a gigabyte."""


def pack(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """Serialise JSON-able `header` and `arrays`; layout: magic, version, CRC-32, header length, both."""
    return b"".join(pieces(header, arrays))


def pieces(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> list[bytes | memoryview]:
    """Return what `pack` joins, without a copy of the arrays: valid until one of them changes."""
    layout = [(name, array.dtype.str, list(array.shape)) for name, array in arrays.items()]
    head = json.dumps({"header": header, "arrays": layout}, separators=(",", ":"), sort_keys=True).encode()
    # An empty array has no bytes to look at.
    views = [np.ascontiguousarray(array).data.cast("B") for array in arrays.values() if array.size]
    checksum = zlib.crc32(head)
    for view in views:
        checksum = zlib.crc32(view, checksum)
    prefix = MAGIC + bytes([VERSION]) + checksum.to_bytes(4, "big") + len(head).to_bytes(4, "big")
    return [prefix, head, *views]


def unpack(
    state: State, records: Mapping[str, Records] | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `pack` wrote; a list of parts is emptied on the way, so that little is held twice.

    Parameters
    ----------
    records
        Arrays of bytes that are to be read as arrays of such records, by name.

    Raises
    ------
    ValueError
        Not a detector's state, of another version, cut short or damaged; the message says which.
    """
    reader = _Reader([state] if isinstance(state, bytes) else state)
    prefix = reader.take(min(_PREFIX, reader.left))
    if len(prefix) < _PREFIX or prefix[:4] != MAGIC:
        raise ValueError("not a detector state, the first four bytes are not 'HWDT': use another, or none")
    if prefix[4] not in READABLE:
        raise ValueError(f"detector state of version {prefix[4]}; this code reads {VERSION}: start afresh")
    checksum, size = int.from_bytes(prefix[5:9], "big"), int.from_bytes(prefix[9:13], "big")
    if reader.checksum() != checksum:
        raise ValueError("detector state is damaged: its checksum does not match; use an older one, or none")
    document = json.loads(reader.take(size))
    arrays: dict[str, NDArray[Any]] = {}
    for name, code, shape in document["arrays"]:
        array = np.empty(shape, np.dtype(code))
        record = (records or {}).get(name)
        if record is not None:
            bring = record.bring if prefix[4] < RECORDS_SINCE else None
            laid = record.former if bring and record.former else record.now
            if array.nbytes % laid.itemsize:
                raise ValueError(
                    f"detector state does not fit this code, {name} are of another size: start afresh"
                )
            array = np.empty(array.nbytes // laid.itemsize, record.now)
            if bring is not None:
                for at in range(0, len(array), AT_ONCE):
                    former = np.empty(min(AT_ONCE, len(array) - at), laid)
                    reader.fill(former.view(np.uint8).data)
                    array[at : at + len(former)] = bring(former)
                arrays[name] = array
                continue
        if array.size:
            reader.fill(array.reshape(-1).view(np.uint8).data)
        arrays[name] = array
    return document["header"], arrays


class _Reader:
    """Reads parts one after the other and lets go of each that has been read."""

    def __init__(self, parts: list[Part]) -> None:
        parts.reverse()
        self._parts = parts
        self._at = 0
        self.left = sum(map(len, parts))

    def checksum(self) -> int:
        """Return the CRC-32 of what has not been read yet."""
        found, at = 0, self._at
        for part in reversed(self._parts):
            found = zlib.crc32(memoryview(part)[at:], found)
            at = 0
        return found

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        found = bytearray(size)
        self.fill(memoryview(found))
        return bytes(found)

    def fill(self, into: memoryview) -> None:
        """Write the next bytes to where they belong."""
        done = 0
        while done < len(into):
            part = memoryview(self._parts[-1])
            taken = min(len(into) - done, len(part) - self._at)
            into[done : done + taken] = part[self._at : self._at + taken]
            done += taken
            self._at += taken
            self.left -= taken
            if self._at == len(part):
                self._parts.pop()
                self._at = 0
